// What is a dictionary? Weights, sparsity rule, and where it was learned.
import { check } from "../base/errors.ts";

/** What is known about the origin; importers and pipelines fill in what they have. */
export interface DictionaryMetadata {
  readonly model?: string;
  readonly model_hash?: string;
  /** The classic TransformerLens string, e.g. `blocks.0.mlp.hook_post`. */
  readonly site?: string;
  readonly tokenizer_hash?: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly tokens?: number;
  readonly [key: string]: unknown;
}

/**
 * f = relu(top k of ((scale · x − b_dec) · W_enc + b_enc)), x̂ = (b_dec + f · W_dec) / scale.
 * Gao et al. 2024, "Scaling and evaluating sparse autoencoders".
 */
export interface Dictionary {
  readonly architecture: "topk";
  readonly d_in: number;
  readonly d_sae: number;
  readonly k: number;
  readonly W_enc: Float32Array; // [d_in, d_sae]
  readonly b_enc: Float32Array; // [d_sae]
  readonly W_dec: Float32Array; // [d_sae, d_in], rows of length 1
  readonly b_dec: Float32Array; // [d_in]
  /** Inputs are multiplied by it before encoding, outputs divided by it. */
  readonly scale: number;
  readonly metadata: DictionaryMetadata;
}

/** Refuses sizes that cannot be, with `dictionary/*`. */
export function checkSizes({ d_in, d_sae, k }: Pick<Dictionary, "d_in" | "d_sae" | "k">): void {
  for (const [name, value] of Object.entries({ d_in, d_sae, k }))
    check(Number.isSafeInteger(value) && value > 0, "dictionary/size", `${name} must be positive`, {
      where: name,
      got: value,
      wanted: "a whole number, 1 or more",
    });
  check(k <= d_sae, "dictionary/k", "more active features asked for than there are", {
    where: "k",
    got: k,
    wanted: `at most d_sae = ${d_sae}`,
  });
}

/** Freezes and checks: lengths, finite numbers. */
export function makeDictionary(parts: Dictionary, where = "dictionary"): Dictionary {
  checkSizes(parts);
  const { d_in, d_sae, scale } = parts;
  const lengths = { W_enc: d_in * d_sae, b_enc: d_sae, W_dec: d_sae * d_in, b_dec: d_in };
  for (const [name, wanted] of Object.entries(lengths)) {
    const data = parts[name as keyof typeof lengths];
    check(data.length === wanted, "dictionary/shape", `${name} has the wrong size`, {
      where,
      got: `${data.length} numbers`,
      wanted: `${wanted} for d_in ${d_in}, d_sae ${d_sae}`,
    });
    check(firstNotFinite(data) < 0, "dictionary/not-finite", `${name} holds NaN or infinity`, {
      where,
      got: `element ${firstNotFinite(data)}`,
    });
  }
  check(Number.isFinite(scale) && scale > 0, "dictionary/scale", "scale must be positive", {
    where,
    got: scale,
  });
  return Object.freeze({ ...parts, metadata: Object.freeze({ ...parts.metadata }) });
}

/**
 * The same function with scale 1: activations come out in the model's own units (a feature's activation is
 * the length it adds), decoder rows stay of length 1, and which features are the top k does not change.
 */
export function foldScale(dictionary: Dictionary): Dictionary {
  const { scale } = dictionary;
  if (scale === 1) return dictionary;
  return makeDictionary({
    ...dictionary,
    b_enc: dictionary.b_enc.map((b) => b / scale),
    b_dec: dictionary.b_dec.map((b) => b / scale),
    scale: 1,
  });
}

/** [rows, columns] → [columns, rows] */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return out;
}

/** The place of the first NaN or infinity, or −1. */
export function firstNotFinite(data: Float32Array): number {
  // A sum of finite float32 cannot overflow float64, so it is finite exactly when all are.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  return Number.isFinite(sum) ? -1 : data.findIndex((v) => !Number.isFinite(v));
}
