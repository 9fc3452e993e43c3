// Where does each head look: at the token before, at the first, at an earlier copy, at what followed one?
import { type Random, random } from "../base/random.ts";
import { runWithCache } from "../hooks/index.ts";
import { type Model, permutedModel, site } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { drawnControl, exactControl, type Figure, figure, type Head } from "./figure.ts";

type Row = ArrayLike<number>;

/** Which keys a query would have to look at, by the tokens alone. */
const relations = {
  current: (_, q) => [q],
  previous: (_, q) => (q === 0 ? [] : [q - 1]),
  /** The first position, for all later queries. */
  first: (_, q) => (q === 0 ? [] : [0]),
  /** Earlier copies of the same token. */
  duplicate: (row, q) => range(q).filter((k) => row[k] === row[q]),
  /** What came after earlier copies (Olsson et al. 2022: prefix matching). */
  induction: (row, q) => range(q).flatMap((k) => (row[k] === row[q] ? [k + 1] : [])),
} as const satisfies Record<string, (row: Row, q: number) => number[]>;

export type Relation = keyof typeof relations;
export const relationNames = Object.keys(relations) as readonly Relation[];

export interface HeadScores extends Head {
  /**
   * Mean attention, 0 to 1, on the keys in question, over queries that have any; beside uniform
   * attention over the keys that are seen, and beside the same head with its model's weights shuffled.
   * NaN where no query has such keys: rows without repeated tokens have no duplicates.
   */
  readonly scores: Readonly<Record<Relation, Figure>>;
}

export interface HeadScoreOptions {
  /** Permuted models, one a draw. */
  draws?: number;
  seed?: number;
}

/** Attention patterns [rows, head, query, key], one a layer. */
export async function attentionPatterns(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
): Promise<Tensor<"float32">[]> {
  const layers = Array.from({ length: model.config.n_layers }, (_, layer) => layer);
  const wires = layers.map((layer) => site("pattern", layer));
  const { cache } = await runWithCache(model, backend, tokens, { sites: wires });
  return wires.map((wire) => cache[wire]!);
}

/** Tokens int32 [rows, pos]: for induction and duplicates, `repeatedTokens`. */
export async function headScores(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
  { draws = 2, seed = 0 }: HeadScoreOptions = {},
): Promise<HeadScores[]> {
  const own = await measured(model, backend, tokens);
  const shuffled: Scores[] = [];
  for (let draw = 0; draw < draws; draw++)
    shuffled.push(await measured(permutedModel(model, seed + draw), backend, tokens));
  const uniform = uniformScores(tokens);
  return own.map(({ layer, head, scores }, i) => ({
    layer,
    head,
    scores: byRelation((relation) =>
      figure(
        scores[relation],
        exactControl("uniform-attention", uniform[relation]),
        ...(draws === 0
          ? []
          : [
              drawnControl(
                "permuted-weights",
                shuffled.map((one) => one[i]!.scores[relation]),
              ),
            ]),
      ),
    ),
  }));
}

/**
 * Rows of `length` tokens drawn at random without repetition and then read again, [rows, 2 · length],
 * after `bos` where one is given: nothing but the repetition predicts the second half.
 */
export function repeatedTokens(
  model: Model,
  {
    rows = 8,
    length,
    bos,
    seed = 0,
  }: { rows?: number; length?: number; bos?: number; seed?: number },
): Tensor<"int32"> {
  const { d_vocab, n_ctx } = model.config;
  const first = bos === undefined ? 0 : 1;
  const half = Math.min(length ?? 50, Math.floor((n_ctx - first) / 2), d_vocab - first);
  const rng = random(seed).stream("repeated");
  const data = new Int32Array(rows * (first + 2 * half));
  for (let row = 0; row < rows; row++) {
    const at = row * (first + 2 * half);
    if (bos !== undefined) data[at] = bos;
    const drawn = distinct(rng, half, d_vocab, bos);
    data.set(drawn, at + first);
    data.set(drawn, at + first + half);
  }
  return tensor("int32", [rows, first + 2 * half], data);
}

type Scores = (Head & { scores: Record<Relation, number> })[];

async function measured(model: Model, backend: Backend, tokens: Tensor<"int32">): Promise<Scores> {
  const patterns = await attentionPatterns(model, backend, tokens);
  const pos = tokens.shape[1]!;
  const { n_heads } = model.config;
  return patterns.flatMap(({ data }, layer) =>
    Array.from({ length: n_heads }, (_, head) => ({
      layer,
      head,
      scores: meanMass(tokens, (row, q, keys) => {
        const at = ((row * n_heads + head) * pos + q) * pos;
        return keys.reduce((sum, k) => sum + data[at + k]!, 0);
      }),
    })),
  );
}

function uniformScores(tokens: Tensor<"int32">): Record<Relation, number> {
  return meanMass(tokens, (_, q, keys) => keys.length / (q + 1));
}

/** NaN where no query has such a key. */
function meanMass(
  { shape, data }: Tensor<"int32">,
  mass: (row: number, q: number, keys: readonly number[]) => number,
): Record<Relation, number> {
  const [rows, pos] = shape as [number, number];
  return byRelation((relation) => {
    let sum = 0;
    let n = 0;
    for (let row = 0; row < rows; row++) {
      const ids = data.subarray(row * pos, (row + 1) * pos);
      for (let q = 0; q < pos; q++) {
        const keys = relations[relation](ids, q);
        if (keys.length === 0) continue;
        sum += mass(row, q, keys);
        n += 1;
      }
    }
    return sum / n;
  });
}

function byRelation<T>(of: (relation: Relation) => T): Record<Relation, T> {
  return Object.fromEntries(relationNames.map((name) => [name, of(name)])) as Record<Relation, T>;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function distinct(rng: Random, n: number, d_vocab: number, bos?: number): number[] {
  const found = new Set<number>();
  while (found.size < n) {
    const id = rng.int(d_vocab);
    if (id !== bos) found.add(id);
  }
  return [...found];
}
