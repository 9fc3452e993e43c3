// Do heads of different layers work together: does one read what the other writes?
import { type Context, throwIfStopped } from "../base/progress.ts";
import { type Random, random } from "../base/random.ts";
import type { Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { drawnControl, type Figure, figure, type Head } from "./figure.ts";
import { type FoldOptions, type HeadWeights, readHeads } from "./head-weights.ts";
import {
  columnsFrom,
  dot,
  gram,
  type Matrix,
  matrix,
  productOn,
  rowsFrom,
  stacked,
  times,
  toTensor,
  transposed,
} from "./matrix.ts";

export const compositions = ["Q", "K", "V"] as const;
export type CompositionKind = (typeof compositions)[number];

export interface Composition {
  readonly kind: CompositionKind;
  readonly from: Head;
  readonly to: Head;
  /** From 0 to 1, beside normal matrices of the same shapes. */
  readonly score: Figure;
}

/**
 * ‖W_OV¹ M‖ / (‖W_OV¹‖ ‖M‖), Frobenius, for every head of a later layer: M = W_QK (Q), W_QKᵀ (K) or
 * W_OV (V) of the later head (Elhage et al. 2021; TransformerLens' `all_composition_scores`). With
 * W_OV = W_V W_O and W_QK = W_Q W_Kᵀ [d_model, d_model]; queries and keys at the same position
 * where positions are rotary. The later head's norm is folded in, what stands between is left out.
 */
export async function compositionScores(
  model: Model,
  backend: Backend,
  { draws = 16, seed = 0, fold = true }: { draws?: number; seed?: number } & FoldOptions = {},
  context: Context = {},
): Promise<Composition[]> {
  const { n_layers, n_heads, d_model, d_head } = model.config;
  const rng = random(seed).stream("composition");
  const drawn = Array.from({ length: draws }, () => {
    const [a, b] = [normalHead(d_model, d_head, rng), normalHead(d_model, d_head, rng)];
    return compositions.map((kind) => {
      const core = times(a.O, kind === "Q" ? b.Q : kind === "K" ? b.K : b.V);
      return score(kind, gramsOf(a), gramsOf(b), core);
    });
  });
  const controls = compositions.map((_, i) =>
    draws === 0
      ? []
      : [
          drawnControl(
            "random-weights",
            drawn.map((each) => each[i]!),
          ),
        ],
  );
  const layers: { grams: HeadGrams[]; writes: Matrix; reads: Matrix }[] = [];
  for (let layer = 0; layer < n_layers; layer++) {
    const heads = await readHeads(model, layer, { fold });
    layers.push({
      grams: heads.Q.map((_, head) => gramsOf(headOf(heads, head))),
      writes: stacked(heads.O),
      reads: transposed(stacked([...heads.Q, ...heads.K, ...heads.V].map(transposed))),
    });
  }
  const found: Composition[] = [];
  for (const [first, a] of layers.entries())
    for (const [second, b] of layers.entries()) {
      if (second <= first) continue;
      throwIfStopped(context);
      // [heads · d_head, 3 · heads · d_head]
      const cores = await productOn(backend, toTensor(a.writes), toTensor(b.reads));
      for (const [i, kind] of compositions.entries())
        for (let from = 0; from < n_heads; from++) {
          const rows = rowsFrom(cores, from * d_head, d_head);
          for (let to = 0; to < n_heads; to++) {
            const core = columnsFrom(rows, (i * n_heads + to) * d_head, d_head);
            const value = score(kind, a.grams[from]!, b.grams[to]!, core);
            found.push({
              kind,
              from: { layer: first, head: from },
              to: { layer: second, head: to },
              score: figure(value, ...controls[i]!),
            });
          }
        }
    }
  return found;
}

type One = { readonly [part in keyof HeadWeights]: Matrix };
/** AᵀA of each matrix with d_head columns: norms of products of d_model × d_model need no more. */
type HeadGrams = One;

const headOf = ({ Q, K, V, O }: HeadWeights, head: number): One => ({
  Q: Q[head]!,
  K: K[head]!,
  V: V[head]!,
  O: O[head]!,
});

function gramsOf({ Q, K, V, O }: One): HeadGrams {
  return { Q: gram(Q), K: gram(K), V: gram(V), O: gram(transposed(O)) };
}

/** ‖V C Bᵀ‖² = Σ (VᵀV C) ∘ (C BᵀB), where C is what the first writes as the second reads it. */
function score(kind: CompositionKind, a: HeadGrams, b: HeadGrams, core: Matrix): number {
  const far = kind === "Q" ? b.K : kind === "K" ? b.Q : b.O;
  const square = dot(times(a.V, core).data, times(core, far).data);
  const later = kind === "V" ? dot(b.V.data, b.O.data) : dot(b.Q.data, b.K.data);
  return Math.sqrt(Math.max(0, square) / (dot(a.V.data, a.O.data) * later));
}

function normalHead(d_model: number, d_head: number, rng: Random): One {
  const made = (rows: number, columns: number): Matrix =>
    matrix(
      rows,
      columns,
      Float64Array.from({ length: rows * columns }, () => rng.normal()),
    );
  return {
    Q: made(d_model, d_head),
    K: made(d_model, d_head),
    V: made(d_model, d_head),
    O: made(d_head, d_model),
  };
}
