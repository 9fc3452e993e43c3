// Which models do the invariants hold for: every golden family, decoders and encoders, and one run of each recorded.
import { random } from "../../src/base/random.ts";
import {
  type EncoderGolden,
  encoderGoldens,
  feedsOf,
} from "../../src/models/encoders/parity.fixture.ts";
import { runEncoder } from "../../src/models/encoders/run.ts";
import { type Model, openModel, sitesOf, weightShapes } from "../../src/models/index.ts";
import { goldenFolder, listGolden, runModel } from "../../src/models/parity.fixture.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { rowsOf } from "./rows.ts";
import type { Recorded } from "./scope.ts";

export interface Subject {
  readonly name: string;
  readonly open: () => Promise<Model>;
  /** What it reads: two rows, longer than any window. */
  readonly feeds: (model: Model) => Record<string, Tensor>;
}

export async function decoders(): Promise<Subject[]> {
  return (await listGolden()).map((name) => ({
    name,
    open: () => openModel(`${goldenFolder}/${name}`, { tokenizer: null, inMemory: true }),
    feeds: ({ config }) => ({ tokens: drawTokens([2, 12], config.d_vocab) }),
  }));
}

export async function encoders(): Promise<Subject[]> {
  return (await encoderGoldens()).map((golden: EncoderGolden) => ({
    name: golden.name,
    open: () => openModel(golden.folder, { tower: golden.tower, tokenizer: null, inMemory: true }),
    feeds: () => feedsOf(golden, "in") as Record<string, Tensor>,
  }));
}

export function drawTokens(shape: [number, number], d_vocab: number, seed = 5): Tensor<"int32"> {
  const rng = random(seed);
  const ids = Int32Array.from({ length: shape[0] * shape[1] }, () => rng.int(d_vocab));
  return tensor("int32", shape, ids);
}

/** Logits, where the model has those of tokens, and every site. */
export async function everything(
  model: Model,
  backend: Backend,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor<"float32">>> {
  type All = Record<string, Tensor<"float32">>;
  if (model.config.encoder === undefined) {
    const { tokens, attention_mask: mask } = feeds;
    return (await runModel(model, backend, { tokens: tokens!, mask, sites: true })) as All;
  }
  const sites = sitesOf(model.config);
  const { outputs, cache } = await runEncoder(model, backend, feeds, { sites });
  return { ...cache, ...(outputs as All) };
}

/** As the formulae take it. */
export function recordedOf(
  { config, weights }: Model,
  feeds: Readonly<Record<string, Tensor>>,
  values: Readonly<Record<string, Tensor<"float32">>>,
): Recorded {
  const rows = (from: Readonly<Record<string, Tensor>>, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, rowsOf(from[name]!)]));
  return {
    config,
    weights: rows(weights, Object.keys(weightShapes(config))),
    sites: rows(values, sitesOf(config)),
    fed: rows(feeds, Object.keys(feeds)),
  };
}

/** One row of tokens each; and back. */
export const int32 = (rows: readonly number[][]): Tensor<"int32"> =>
  tensor("int32", [rows.length, rows[0]!.length], Int32Array.from(rows.flat()));

export function tokenRows({ shape, data }: Tensor<"int32">): number[][] {
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, r) => [
    ...data.subarray(r * width, (r + 1) * width),
  ]);
}
