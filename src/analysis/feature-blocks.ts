// What is done with a block of features, on whichever thread takes it: judged and named, then described.
import { packPage } from "./bundle.ts";
import { judgeBlock } from "./judgement.ts";
import { type LogitPath, logitWeights } from "./logit-weights.ts";
import type { FeatureRow } from "./page.ts";
import { describeFeature, type Named, nameFeature, type PageWorld, rowOf } from "./pages.ts";

export interface BlockWorld extends PageWorld {
  path: LogitPath | null;
  scale: number | undefined;
  /** By token id, zero. */
  tokenScratch: { current: Float64Array; previous: Float64Array };
}

/** The features from `from` on, in order: their names, and what they rest on. */
export interface NamedBlock {
  from: number;
  named: Named[];
}

/** The same features' pages, compressed, and their rows. */
export interface DescribedBlock {
  from: number;
  pages: Uint8Array[];
  rows: FeatureRow[];
}

const size = 64;
/** While one block waits for a product or for compression, another is worked on. */
const lanes = 2;

/** Works on blocks until none is left. `taken` counts those given out, to all threads together. */
export async function takeBlocks(
  taken: Int32Array,
  d_sae: number,
  work: (from: number, to: number) => Promise<void>,
): Promise<void> {
  const lane = async (): Promise<void> => {
    for (;;) {
      const from = Atomics.add(taken, 0, 1) * size;
      if (from >= d_sae) return;
      await work(from, Math.min(d_sae, from + size));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export async function nameBlock(world: BlockWorld, from: number, to: number): Promise<NamedBlock> {
  const judged = await judgeBlock(world, from, to);
  const named = judged.map((judgement, i) =>
    nameFeature(world, from + i, judgement, world.tokenScratch),
  );
  return { from, named };
}

export async function describeBlock(
  world: BlockWorld,
  named: readonly Named[],
  from: number,
  to: number,
): Promise<DescribedBlock> {
  const logits = await logitsOf(world, from, to);
  const rows: FeatureRow[] = [];
  const pages: Promise<Uint8Array>[] = [];
  for (let f = from; f < to; f++) {
    const page = describeFeature(world, f, named, logits?.[f - from] ?? null);
    rows.push(rowOf(page));
    pages.push(packPage(page));
  }
  return { from, pages: await Promise.all(pages), rows };
}

/** One row of logit weights per feature of the block, or null when there is no path to the logits. */
async function logitsOf(
  { path, W_dec, d_sae, product, scale }: BlockWorld,
  from: number,
  to: number,
): Promise<Float32Array[] | null> {
  if (!path) return null;
  const d_in = W_dec.length / d_sae;
  const rows = W_dec.slice(from * d_in, to * d_in);
  const all = await logitWeights(rows, to - from, path, { product, scale });
  return Array.from({ length: to - from }, (_, i) =>
    all.subarray(i * path.d_vocab, (i + 1) * path.d_vocab),
  );
}
