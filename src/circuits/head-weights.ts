// What are the matrices of a head, seen from the residual stream, with the norm that it reads through folded in?
import { check } from "../base/errors.ts";
import { type Model, type ModelConfig, readWeight } from "../models/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type Matrix, matrix } from "./matrix.ts";

/** One entry a query head; heads that share keys and values have the same matrices there. */
export interface HeadWeights {
  readonly Q: readonly Matrix[]; // [d_model, d_head]
  readonly K: readonly Matrix[]; // [d_model, d_head]
  readonly V: readonly Matrix[]; // [d_model, d_head]
  readonly O: readonly Matrix[]; // [d_head, d_model]
}

export interface FoldOptions {
  /**
   * Multiply what reads with the norm's gain, and take its mean over d_model off where the norm
   * centres: then only the division by the stream's size is missing. On by default.
   */
  fold?: boolean;
}

/** Queries and keys are those before rotation and before their own norm. */
export async function readHeads(
  model: Model,
  layer: number,
  { fold = true }: FoldOptions = {},
): Promise<HeadWeights> {
  const { n_layers, n_heads, norm_placement } = model.config;
  check(Number.isInteger(layer) && layer >= 0 && layer < n_layers, "site/layer", "no such layer", {
    where: model.config.name,
    got: layer,
    wanted: `0 to ${n_layers - 1}`,
  });
  const at = `blocks.${layer}`;
  const reads = fold && norm_placement !== "post";
  const heads = async (name: string, folded: boolean): Promise<Matrix[]> => {
    const all = await readWeight(model, `${at}.attn.${name}`);
    const made = folded ? await foldedInto(model, `${at}.ln1`, all) : all;
    const [own, rows, columns] = made.shape as [number, number, number];
    const size = rows * columns;
    return Array.from({ length: n_heads }, (_, head) => {
      const from = Math.floor((head * own) / n_heads) * size;
      return matrix(rows, columns, made.data.subarray(from, from + size));
    });
  };
  return {
    Q: await heads("W_Q", reads),
    K: await heads("W_K", reads),
    V: await heads("W_V", reads),
    O: await heads("W_O", false),
  };
}

/** W_U [d_model, d_vocab], with the final norm folded in. */
export async function readUnembedding(
  model: Model,
  { fold = true }: FoldOptions = {},
): Promise<Tensor<"float32">> {
  const W_U = await readWeight(model, "unembed.W_U");
  return fold && hasFinalNorm(model.config) ? foldedInto(model, "ln_final", W_U) : W_U;
}

export function hasFinalNorm({ normalization, final_norm }: ModelConfig): boolean {
  return normalization !== "none" && final_norm !== false;
}

/** The gain of a norm, offset included, [d_model]; undefined where there is none. */
export async function gainOf(model: Model, at: string): Promise<Float64Array | undefined> {
  if (model.config.normalization === "none") return undefined;
  const { data } = await readWeight(model, `${at}.w`);
  const { norm_offset = 0 } = model.config;
  return Float64Array.from(data, (x) => x + norm_offset);
}

/** The bias of a norm, where it has one. */
export async function biasOf(model: Model, name: string): Promise<Float64Array | undefined> {
  return name in model.weights
    ? Float64Array.from((await readWeight(model, name)).data)
    : undefined;
}

/** `W` [..., d_model, n]: rows times the gain, less their mean where the norm centres. */
async function foldedInto(
  model: Model,
  at: string,
  W: Tensor<"float32">,
): Promise<Tensor<"float32">> {
  const gain = await gainOf(model, at);
  if (gain === undefined) return W;
  const centres = model.config.normalization === "LN";
  const [rows, columns] = W.shape.slice(-2) as [number, number];
  const data = new Float32Array(W.data.length);
  const mean = new Float64Array(columns);
  for (let from = 0; from < data.length; from += rows * columns) {
    mean.fill(0);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        mean[j]! += (gain[i]! * W.data[from + i * columns + j]!) / rows;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const place = from + i * columns + j;
        data[place] = gain[i]! * W.data[place]! - (centres ? mean[j]! : 0);
      }
  }
  return tensor("float32", W.shape, data);
}
