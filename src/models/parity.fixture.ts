// How far are we from other implementations: the cells of the parity table, one golden model at a time.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors } from "../formats/safetensors.ts";
import { input, program, type Value } from "../graph/index.ts";
import type { Backend } from "../runtime/backend.ts";
import { folderStore } from "../storage/folder.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { Tap } from "./blocks/scope.ts";
import { type Model, windowOf } from "./config.ts";
import { openModel } from "./open.ts";
import { bindWeights } from "./parameters.ts";
import { forward } from "./transformer.ts";

export const goldenFolder = "test/golden/families";
export const cellNames = ["logits", "sites", "padding", "cache", "pad+cache", "window"] as const;
export type CellName = (typeof cellNames)[number];

/** `far` over `allowed` is red; a cell without a number does not exist for the family. */
export interface Cell {
  readonly name: CellName;
  readonly far: number;
  readonly allowed: number;
  /** The site that is furthest. */
  readonly at?: string;
}

export interface Golden {
  readonly name: string;
  readonly folder: string;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** A padded batch that is written on; families of Hugging Face have it. */
  readonly continued?: Pick<Golden, "tensors" | "metadata">;
}

export async function listGolden(): Promise<string[]> {
  const entries = await readdir(goldenFolder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

export async function readGolden(name: string): Promise<Golden> {
  const folder = join(goldenFolder, name);
  const store = folderStore(folder);
  const more = "continued.safetensors";
  const has = (await store.size(more)) !== undefined;
  return {
    name,
    folder,
    ...(await readSafetensors(store, "reference.safetensors")),
    ...(has ? { continued: await readSafetensors(store, more) } : {}),
  };
}

/** Every cell of one golden model. */
export async function parityCells(
  golden: Golden,
  backend: Backend,
  model?: Model,
): Promise<Cell[]> {
  const opened = model ?? (await openModel(golden.folder, { tokenizer: null }));
  const { tensors } = golden;
  const allowed = (name: string) => allowedFor(golden, name);
  const run = (what: Run) => runModel(opened, backend, what);
  const plain = async (from: string) => (await run({ tokens: tensors[from]! })).logits!;
  const cells: Cell[] = [];
  const logits = await plain("tokens");
  cells.push({
    name: "logits",
    far: distance(logits, tensors.logits!),
    allowed: allowed("logits"),
  });
  cells.push(await siteCell(golden, run));

  const mask = tensors["pad.mask"]!;
  const padded = await run({ tokens: tensors["pad.tokens"]!, mask });
  cells.push({
    name: "padding",
    far: distance(padded.logits!, tensors["pad.logits"]!, mask.data as Int32Array),
    allowed: allowed("pad.logits"),
  });

  const all = tensors["long.tokens"]! as Tensor<"int32">;
  const first = await run({ tokens: columns(all, 0, 8), present: true });
  const second = await run({ tokens: columns(all, 8, 11), past: first });
  cells.push({
    name: "cache",
    far: distance(second.logits!, tensors["cache.logits"]!),
    allowed: allowed("cache.logits"),
  });
  if (golden.continued !== undefined) cells.push(await continuedCell(golden.continued, run));

  const long = await plain("long.tokens");
  const window = windows(opened) ? 5 : undefined;
  if (window !== undefined || tensors["long.tokens"]!.shape[1]! > opened.config.n_ctx)
    cells.push({
      name: "window",
      far: distance(long, tensors["long.logits"]!),
      allowed: allowed("long.logits"),
    });
  else
    cells[0] = {
      ...cells[0]!,
      far: Math.max(cells[0]!.far, distance(long, tensors["long.logits"]!)),
    };
  return cells;
}

/** 5e-5 of the largest logit; where the peer is further from its own float64 run, twice that. */
export function allowedFor(
  { tensors, metadata }: Pick<Golden, "tensors" | "metadata">,
  name: string,
): number {
  const most = Math.max(1, ...(tensors[name]!.data as Float32Array).map(Math.abs));
  return Math.max(5e-5 * most, 2 * Number(metadata[`distance ${name}`]));
}

export const isRed = ({ far, allowed }: Cell): boolean => !(far <= allowed);

function windows({ config }: Model): boolean {
  return Array.from({ length: config.n_layers }, (_, l) => windowOf(config, l)).some(Boolean);
}

/** A padded prompt, longer than every window, and the tokens behind it with its keys and values. */
export async function continuedCell(
  continued: NonNullable<Golden["continued"]>,
  run: (what: Run) => Promise<Record<string, Tensor>>,
): Promise<Cell> {
  const { prompt, mask, rest, logits } = continued.tensors as Record<string, Tensor<"int32">>;
  const past = await run({ tokens: prompt!, mask: mask!, present: true });
  const [rows, n] = rest!.shape as [number, number];
  const more = beside(mask!, tensor("int32", [rows, n], new Int32Array(rows * n).fill(1)));
  const got = await run({ tokens: rest!, mask: more, past });
  return {
    name: "pad+cache",
    far: distance(got.logits!, logits!),
    allowed: allowedFor(continued, "logits"),
  };
}

/** Every site of the reference that has a shape of ours; sites without batch are given one. */
async function siteCell(
  { tensors }: Golden,
  run: (what: Run) => Promise<Record<string, Tensor>>,
): Promise<Cell> {
  const wanted = Object.entries(tensors).filter(([name]) => name.startsWith("site:"));
  const seen = await run({ tokens: tensors["site.tokens"]!, sites: true });
  let worst = { far: 0, at: "" };
  for (const [key, reference] of wanted) {
    const name = key.slice("site:".length);
    const got = seen[name];
    const far =
      got === undefined
        ? Number.POSITIVE_INFINITY
        : distance({ ...got, shape: reference.shape } as Tensor, reference) / scaleOf(reference);
    if (!(far <= worst.far)) worst = { far, at: name };
  }
  return { name: "sites", ...worst, allowed: 1e-5 };
}

/** Sites are compared relative to their largest number where that is above 1. */
function scaleOf({ data }: Tensor): number {
  return Math.max(1, ...(data as Float32Array).map(Math.abs).filter(Number.isFinite));
}

export interface Run {
  tokens: Tensor;
  mask?: Tensor;
  sites?: boolean;
  present?: boolean;
  past?: Record<string, Tensor>;
}

/** Logits, and what else is asked for: sites by name, new keys and values as `k 0`, `v 0`, … */
export async function runModel(
  model: Model,
  backend: Backend,
  { tokens, mask, sites = false, present = false, past }: Run,
): Promise<Record<string, Tensor>> {
  const bound = bindWeights(model);
  const fed: Record<string, Tensor> = { tokens };
  const feed = (name: string, value: Tensor): Value => {
    fed[name] = value;
    return input(name, value.dtype, value.shape);
  };
  const inputs = { tokens: feed("tokens", tokens) } as Record<string, Value>;
  if (mask !== undefined) inputs.mask = feed("mask", mask);
  const before =
    past &&
    Array.from({ length: model.config.n_layers }, (_, l) => {
      inputs[`k${l}`] = feed(`past k ${l}`, past[`k ${l}`]!);
      inputs[`v${l}`] = feed(`past v ${l}`, past[`v ${l}`]!);
      return { k: inputs[`k${l}`]!, v: inputs[`v${l}`]! };
    });
  const outputs: Record<string, Value> = {};
  const tap: Tap = (site, value) => {
    if (sites) outputs[site] = value;
    return value;
  };
  const out = forward(model.config, bound.values, inputs.tokens!, {
    tap,
    attention_mask: inputs.mask,
    past: before,
  });
  outputs.logits = out.logits;
  if (present)
    out.present.forEach(({ k, v }, l) => {
      outputs[`k ${l}`] = k;
      outputs[`v ${l}`] = v;
    });
  const made = program({ inputs: [...Object.values(inputs), ...bound.inputs], outputs });
  const compiled = await backend.compile(made);
  const results = await compiled.run({ ...bound.feeds, ...fed });
  await compiled.release();
  return results;
}

function columns({ shape, data }: Tensor<"int32">, from: number, to: number): Tensor {
  const [rows, width] = shape as [number, number];
  const parts = Array.from({ length: rows }, (_, r) => [
    ...data.subarray(r * width + from, r * width + to),
  ]);
  return tensor("int32", [rows, to - from], Int32Array.from(parts.flat()));
}

/** Two int32 matrices with the same rows, side by side. */
function beside(a: Tensor<"int32">, b: Tensor<"int32">): Tensor<"int32"> {
  const [rows, left, right] = [a.shape[0]!, a.shape[1]!, b.shape[1]!];
  const parts = Array.from({ length: rows }, (_, r) => [
    ...a.data.subarray(r * left, (r + 1) * left),
    ...b.data.subarray(r * right, (r + 1) * right),
  ]);
  return tensor("int32", [rows, left + right], Int32Array.from(parts.flat()));
}

/** The largest difference, where infinities must agree; rows where `mask` is 0 do not count. */
export function distance(a: Tensor, b: Tensor, mask?: Int32Array): number {
  if (a.data.length !== b.data.length) return Number.POSITIVE_INFINITY;
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  const width = b.shape.at(-1)!;
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    if (mask !== undefined && mask[Math.floor(i / width)] === 0) continue;
    if (x[i] === y[i]) continue;
    const far = Math.abs(x[i]! - y[i]!);
    if (!(far <= most)) most = far;
  }
  return most;
}
