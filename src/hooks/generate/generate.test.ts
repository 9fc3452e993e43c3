// Writing with the cache is writing without it, for every kind of attention, padded, sampled and intervened on.
import { readFileSync } from "node:fs";
import { beforeAll, expect, describe as group, test } from "vitest";
import { type Model, openModel } from "../../models/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import { steer } from "../interventions.ts";
import { type GeneratedStep, type GenerateOptions, generate } from "./generate.ts";
import { candidates } from "./sampling.ts";

const backend = ortBackend({ threads: 1 });
const families = ["gpt2", "llama", "gemma2", "mistral", "gpt_neox"];
const models = new Map<string, Model>();

beforeAll(async () => {
  for (const name of families)
    models.set(name, await openModel(`test/golden/families/${name}`, { tokenizer: null }));
});

const prompts = [
  [5, 9, 31, 7, 12],
  [3, 17],
];

async function written(name: string, options: GenerateOptions, rows = prompts) {
  const steps: { tokens: (number | undefined)[]; logits: number[]; step: GeneratedStep }[] = [];
  for await (const step of generate(models.get(name)!, backend, rows, options))
    steps.push({
      tokens: step.rows.map((row) => row?.token),
      logits: [...step.logits],
      step,
    });
  return steps;
}

const largest = (x: readonly number[]): number => Math.max(...x.map(Math.abs));
const far = (a: readonly number[], b: readonly number[]): number =>
  largest(a.map((x, i) => x - b[i]!)) / Math.max(1, largest(b));

group.each(families)("%s", (name) => {
  test("with and without the cache: the same greedy tokens, logits within 1e-5", async () => {
    const options = { max_new_tokens: 12 };
    const cached = await written(name, options);
    const whole = await written(name, { ...options, cache: false });
    expect(cached.map(({ tokens }) => tokens)).toEqual(whole.map(({ tokens }) => tokens));
    for (const [i, { logits }] of cached.entries())
      expect(far(logits, whole[i]!.logits)).toBeLessThan(1e-5);
  });

  test("a row beside longer ones is the row alone", async () => {
    const options = { max_new_tokens: 8 };
    const together = await written(name, options);
    const alone = await written(name, options, [prompts[1]!]);
    expect(together.map(({ tokens }) => tokens[1])).toEqual(alone.map(({ tokens }) => tokens[0]));
  });

  test.each(["prompt", "new", "both"] as const)(
    "an intervention on %s is the same with the cache and without",
    async (during) => {
      const { d_model } = models.get(name)!.config;
      const values = Array.from({ length: d_model }, (_, i) => Math.sin(i + 1));
      const direction = { values };
      const interventions = [
        steer({ sites: "resid_post", layers: [0] }, direction, 1.5),
        steer({ sites: "resid_post", layers: [1], positions: [1, 6, { from: 8 }] }, direction, -2),
      ];
      const options = { max_new_tokens: 7, interventions, during };
      const rows = [[5, 9, 31, 7, 12, 3, 4, 8, 9]];
      const cached = await written(name, options, rows);
      const whole = await written(name, { ...options, cache: false }, rows);
      for (const [i, { logits }] of cached.entries())
        expect(far(logits, whole[i]!.logits)).toBeLessThan(1e-5);
      const plain = await written(name, { max_new_tokens: 7 }, rows);
      const at = during === "new" ? 1 : 0;
      expect(far(cached[at]!.logits, plain[at]!.logits)).toBeGreaterThan(1e-3);
      if (during === "new") expect(cached[0]!.logits).toEqual(plain[0]!.logits);
    },
  );
});

group("sampling", () => {
  const golden = JSON.parse(readFileSync("test/golden/sampling.json", "utf8")) as {
    cases: { options: object; logits: number[]; kept: Record<string, number> }[];
  };

  test.each(golden.cases)(
    "$options leaves what transformers leaves",
    ({ options, logits, kept }) => {
      const { ids, probabilities } = candidates(Float32Array.from(logits), options);
      expect([...ids].sort((a, b) => a - b)).toEqual(Object.keys(kept).map(Number));
      for (const [i, id] of ids.entries()) expect(probabilities[i]).toBeCloseTo(kept[id]!, 5);
    },
  );

  test("a seed is a text, another seed another, and a row does not hear its neighbours", async () => {
    const options = { max_new_tokens: 10, temperature: 2, seed: 3 };
    const tokens = async (seed: number, rows = prompts) =>
      (await written("gpt2", { ...options, seed }, rows)).map((step) => step.tokens[0]);
    expect(await tokens(3)).toEqual(await tokens(3));
    expect(await tokens(3)).not.toEqual(await tokens(4));
    expect(await tokens(3)).toEqual(await tokens(3, [prompts[0]!]));
  });

  test("log-probabilities are the model's own, likeliest first", async () => {
    const [first] = await written("gpt2", { max_new_tokens: 1, logprobs: 3 });
    const { d_vocab } = models.get("gpt2")!.config;
    const own = first!.logits.slice(0, d_vocab);
    const base = Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0));
    const [row] = first!.step.rows;
    expect(row!.top.map(({ token }) => token)).toEqual(
      [...own.keys()].sort((a, b) => own[b]! - own[a]!).slice(0, 3),
    );
    for (const { token, logprob } of row!.top) expect(logprob).toBeCloseTo(own[token]! - base, 4);
    expect(row!.token).toBe(row!.top[0]!.token);
  });
});

group("ends", () => {
  test("at a stop token, row by row, and otherwise at the length", async () => {
    const free = await written("llama", { max_new_tokens: 6 });
    const stop = free[2]!.tokens[0]!;
    const steps = await written("llama", { max_new_tokens: 6, stopTokens: [stop] });
    const first = free.findIndex(({ tokens }) => tokens[0] === stop);
    expect(steps[first]!.step.rows[0]!.finish).toBe("stop-token");
    expect(steps.slice(first + 1).every(({ step }) => step.rows[0] === null)).toBe(true);
    expect(free.at(-1)!.step.rows[0]!.finish).toBe("length");
  });

  test.each([
    ["no prompt", [], {}, "generate/prompt"],
    ["an empty prompt", [[]], {}, "generate/prompt"],
    ["a token that is none", [[4800]], { max_new_tokens: 4 }, "hooks/tokens"],
    ["more than the context", [[1, 2]], { max_new_tokens: 400 }, "generate/length"],
    ["a negative temperature", [[1]], { temperature: -1 }, "generate/sampling"],
    ["a top_p of 0", [[1]], { top_p: 0 }, "generate/sampling"],
    [
      "stop strings without a tokenizer",
      [[1]],
      { max_new_tokens: 4, stop: ["."] },
      "generate/stop",
    ],
  ])("%s is refused", async (_, rows, options, code) => {
    await expect(written("gpt2", options, rows)).rejects.toMatchObject({ code });
  });
});
