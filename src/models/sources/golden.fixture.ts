// What did transformers compute for the checkpoints of test/golden, and what do we?
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { input, program } from "../../graph/index.ts";
import { type Backend, ortBackend } from "../../runtime/index.ts";
import { tensor } from "../../tensor/tensor.ts";
import type { Model } from "../config.ts";
import { bindWeights } from "../parameters.ts";
import { forward } from "../transformer.ts";

export type GoldenCases = Readonly<
  Record<
    string,
    {
      readonly tokens: readonly number[];
      readonly logits: readonly number[];
      readonly encodings: readonly { readonly text: string; readonly ids: readonly number[] }[];
    }
  >
>;

export function casesIn(name: string): GoldenCases {
  return JSON.parse(readFileSync(`test/golden/checkpoints/${name}`, "utf8"));
}

/** A folder for the tests of one file, and a backend; both are gone after them. */
export function bench(name: string): { folder: string; backend: Backend } {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const backend = ortBackend({ threads: 1 });
  afterAll(async () => {
    await backend.release();
    rmSync(folder, { recursive: true });
  });
  return { folder, backend };
}

/** The logits after the last token. */
export async function lastLogits(
  backend: Backend,
  model: Model,
  ids: readonly number[],
): Promise<Float32Array> {
  const bound = bindWeights(model);
  const tokens = input("tokens", "int32", [1, ids.length]);
  const { logits } = forward(model.config, bound.values, tokens);
  const made = program({ inputs: [tokens, ...bound.inputs], outputs: { logits: logits! } });
  const ready = await backend.compile(made);
  const fed = tensor("int32", [1, ids.length], Int32Array.from(ids));
  const { logits: got } = await ready.run({ ...bound.feeds, tokens: fed });
  await ready.release();
  return (got!.data as Float32Array).slice(-model.config.d_vocab);
}
