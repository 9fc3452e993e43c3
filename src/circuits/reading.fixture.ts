// What TransformerLens read out of two tiny models (scripts/golden/reading.py).
import { readFileSync } from "node:fs";
import { type Packed, unpack, unpackAll } from "../../test/golden/tensors.ts";
import { type Model, type ModelConfig, makeModel } from "../models/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

type Sweep = Record<"base" | "source" | "resid_pre" | "z" | "z_position", Packed> & {
  mlp_out?: Packed;
};
type Path = Record<"logits" | "q" | "k" | "v", Packed>;

export interface Reading {
  config: ModelConfig;
  weights: Record<string, Packed>;
  logits: Packed;
  lens: { labels: string[]; logits: Packed };
  attribution: {
    accumulated_labels: string[];
    accumulated: Packed;
    parts_labels: string[];
    parts: Packed;
    heads: Packed;
    neurons?: Packed;
  };
  scores: Record<"previous_token_head" | "duplicate_token_head" | "induction_head", Packed>;
  noising: Sweep;
  denoising: Sweep;
  path: { recompute: Path; freeze?: Path };
  circuits: {
    OV: Packed;
    QK: Packed;
    eigenvalues: [number, number][][];
    composition: Record<"Q" | "K" | "V", Packed>;
  };
}

const golden: { tokens: number[][]; other: number[][]; answers: number[][]; models: Reading[] } =
  JSON.parse(readFileSync("test/golden/reading.json", "utf8"));

export const numbers = (packed: Packed): Float32Array => unpack(packed).data;

const rows = (list: readonly number[][]): Tensor<"int32"> =>
  tensor("int32", [list.length, list[0]!.length], Int32Array.from(list.flat()));

export const tokens = rows(golden.tokens);
/** Pairs for patching have six positions. */
export const clean = rows(golden.tokens.map((row) => row.slice(0, 6)));
export const other = rows(golden.other.map((row) => row.slice(0, 6)));
export const right = golden.answers.map(([a]) => a!);
export const wrong = golden.answers.map(([, b]) => b!);

export const readings: { name: string; model: Model; read: Reading }[] = golden.models.map(
  (read) => ({
    name: read.config.name,
    model: makeModel(read.config, unpackAll(read.weights)),
    read,
  }),
);
