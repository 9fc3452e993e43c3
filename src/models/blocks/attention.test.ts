import { describe, expect, test } from "vitest";
import { random } from "../../base/random.ts";
import { input, print, program, type Value } from "../../graph/index.ts";
import { simplify } from "../../graph/simplify.ts";
import type { Backend } from "../../runtime/backend.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { referenceBackend } from "../../runtime/reference.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import type { ModelConfig } from "../config.ts";
import { initWeights } from "../init.ts";
import { weightInputs } from "../parameters.ts";
import { forward } from "../transformer.ts";

const plain: ModelConfig = {
  name: "long rows",
  n_layers: 2,
  d_model: 16,
  n_heads: 4,
  d_head: 8,
  d_mlp: 8,
  d_vocab: 20,
  n_ctx: 256,
  act_fn: "relu",
  normalization: "LN",
  positions: "learned",
};
const kinds: readonly ModelConfig[] = [
  plain,
  { ...plain, name: "windows", window: 70, window_layers: [true, false] },
  { ...plain, name: "groups of heads", n_key_value_heads: 2 },
  { ...plain, name: "capped scores", attn_softcap: 2, attn_scale: 1.3 },
];
const [batch, pos] = [1, 150];
const tokens = input("tokens", "int32", [batch, pos]);
const drawn = random(1);
const ids = Int32Array.from({ length: batch * pos }, () => drawn.int(plain.d_vocab));

function made(
  config: ModelConfig,
  seen: readonly string[],
  weights = weightInputs(config),
): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  const { logits } = forward(config, weights, tokens, {
    tap: (site, value) => {
      if (seen.includes(site)) outputs[site] = value;
      return value;
    },
  });
  return { ...outputs, logits };
}

function feedsOf(config: ModelConfig): Record<string, Tensor> {
  const weights = initWeights(config, random(2));
  const spread = random(3);
  // Scores that differ: attention that is nearly uniform would hide a wrong key.
  for (const { data } of Object.values(weights))
    for (let i = 0; i < data.length; i++) data[i] = 0.6 * spread.normal();
  return { ...weights, tokens: tensor("int32", [batch, pos], ids) };
}

describe.each(kinds)("causal attention with $name, a block of queries at a time", (config) => {
  const weights = weightInputs(config);
  const inputs = [tokens, ...Object.values(weights)];
  const run = async (backend: Backend, ...seen: string[]) => {
    const outputs = made(config, seen, weights);
    const compiled = await backend.compile(program({ inputs, outputs }));
    return (await compiled.run(feedsOf(config))).logits!.data as Float32Array;
  };

  test("makes no value of all queries and all keys, unless one is read", () => {
    const squares = (...seen: string[]): number =>
      print(Object.fromEntries(simplify(Object.values(made(config, seen))).entries()))
        .split("\n")
        .filter((line) => line.includes(`, ${pos}, ${pos}]`) && !line.includes("constant")).length;
    expect(squares()).toBe(0);
    expect(squares("blocks.1.attn.hook_pattern")).toBeGreaterThan(0);
    expect(squares("blocks.0.attn.hook_attn_scores")).toBeGreaterThan(0);
  });

  test("gives the logits of the whole pattern to the bit, and of float64 to 1e-4", async () => {
    const ort = ortBackend({ threads: 1 });
    const quick = await run(ort);
    const whole = await run(ort, "blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern");
    expect(quick).toEqual(whole);
    const exact = await run(referenceBackend());
    const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    const far = quick.reduce((most, x, i) => Math.max(most, Math.abs(x - exact[i]!)), 0);
    expect(far / largest).toBeLessThan(1e-4);
  });
});
