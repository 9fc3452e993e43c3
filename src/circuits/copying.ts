// Does a head copy: does attending to a token raise that same token? By eigenvalues of its full OV circuit.
import { type Context, throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import { type Model, readWeight } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Eigenvalues, eigenvalues } from "./eigenvalues.ts";
import { drawnControl, type Figure, figure, type Head } from "./figure.ts";
import { readHeads, readUnembedding } from "./head-weights.ts";
import { type Matrix, matrix, productOn, rowsFrom, stacked, times, toTensor } from "./matrix.ts";

export interface Copying extends Head {
  /** Σ λ / Σ |λ|, from −1 (all negative) to 1 (all positive), beside the head with W_V shuffled. */
  readonly score: Figure;
  /** The d_head eigenvalues of W_E W_V W_O W_U that need not be zero. */
  readonly eigenvalues: Eigenvalues;
}

/**
 * Copying scores of all heads (Elhage et al. 2021, "A Mathematical Framework for Transformer
 * Circuits"): the eigenvalues of W_E W_V W_O W_U [d_vocab, d_vocab], which are those of
 * W_O (W_U W_E) W_V [d_head, d_head]. Norms are folded in, without their scales, and positions and
 * biases are left out. `draws` controls a head, each with W_V's entries in another order.
 */
export async function copyingScores(
  model: Model,
  backend: Backend,
  { draws = 16, seed = 0 }: { draws?: number; seed?: number } = {},
  context: Context = {},
): Promise<Copying[]> {
  const { n_layers, n_heads, d_head, d_model, embed_multiplier = 1 } = model.config;
  const W_E = await readWeight(model, "embed.W_E");
  const W_U = await readUnembedding(model);
  // W_U W_E: from what is written to what the same token's embedding would hold. [d_model, d_model]
  const around = toTensor(await productOn(backend, W_U, W_E));
  const rng = random(seed).stream("copying");
  const found: Copying[] = [];
  for (let layer = 0; layer < n_layers; layer++) {
    throwIfStopped(context);
    const { V, O } = await readHeads(model, layer);
    const through = await productOn(backend, toTensor(stacked(O)), around); // [heads · d_head, d_model]
    for (let head = 0; head < n_heads; head++) {
      const out = rowsFrom(through, head * d_head, d_head);
      const values = ofCircuit(out, V[head]!, embed_multiplier);
      const drawn = Array.from({ length: draws }, () => {
        const shuffled = matrix(d_model, d_head, rng.shuffle(V[head]!.data.slice()));
        return copyingScore(ofCircuit(out, shuffled, embed_multiplier));
      });
      const control = draws === 0 ? [] : [drawnControl("permuted-weights", drawn)];
      const score = figure(copyingScore(values), ...control);
      found.push(Object.freeze({ layer, head, score, eigenvalues: values }));
    }
    context.onProgress?.({ stage: "copying", done: layer + 1, total: n_layers, unit: "layers" });
  }
  return found;
}

/** Σ λ / Σ |λ|; imaginary parts cancel in pairs. 0 where all eigenvalues are zero. */
export function copyingScore({ re, im }: Eigenvalues): number {
  let sum = 0;
  let size = 0;
  for (let i = 0; i < re.length; i++) {
    sum += re[i]!;
    size += Math.hypot(re[i]!, im[i]!);
  }
  return size === 0 ? 0 : sum / size;
}

function ofCircuit(out: Matrix, V: Matrix, multiplier: number): Eigenvalues {
  const core = times(out, V);
  if (multiplier !== 1) for (let i = 0; i < core.data.length; i++) core.data[i]! *= multiplier;
  return eigenvalues(core.data, core.rows);
}
