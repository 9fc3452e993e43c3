// Which document comes next when a model grows on a weighted mix that never ends?
import { check } from "../base/errors.ts";
import { type Random, type RandomState, random, resumeRandom } from "../base/random.ts";
import type { Document, Split } from "./document.ts";
import { carrier, type Generators } from "./generators.ts";
import { endContext, startPacking, type TokenRows } from "./pack.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface MixtureOptions {
  seed: number;
  /**
   * Share of the tokens by context, or by source ("field-guide", "generator", "machine", "file") for
   * all of its contexts that have no weight of their own. What has no weight is left out.
   */
  weights: Readonly<Record<string, number>>;
  documents: readonly Document[];
  generators?: Generators;
  split: Split;
  /** What a document costs, so that shares are of tokens; characters when absent. */
  cost?: (document: Document) => number;
}

/** Where the mixture stands: plain JSON. */
export interface MixtureState {
  random: RandomState;
  /** Documents given so far, by weight. */
  given: Record<string, number>;
}

export interface Mixture {
  next(): Document;
  state(): MixtureState;
  /** The contexts that it can give, sorted. */
  readonly contexts: readonly string[];
}

interface Group {
  name: string;
  contexts: readonly string[];
  /** The n-th document; orders are shuffled anew each time round. */
  at(n: number): Document;
  chance: number;
}

/** Documents of a group come in a shuffled order, each once before any comes again. */
export function mixture(options: MixtureOptions, from?: MixtureState): Mixture {
  const { seed, weights, cost = ({ text }) => text.length } = options;
  const rng = from === undefined ? random(seed).stream("mixture") : resumeRandom(from.random);
  const given = new Map(Object.entries(from?.given ?? {}));
  const groups = Object.keys(weights)
    .filter((name) => weights[name]! > 0)
    .map((name) => makeGroup(name, options, cost));
  check(groups.length > 0, "text/empty", "the mixture has no weights above 0", { got: weights });
  const sum = groups.reduce((total, { chance }) => total + chance, 0);
  return {
    contexts: [...new Set(groups.flatMap(({ contexts }) => contexts))].sort(),
    next() {
      const group = draw(groups, rng.uniform() * sum);
      const n = given.get(group.name) ?? 0;
      given.set(group.name, n + 1);
      return group.at(n);
    },
    state: () => ({ random: rng.state(), given: Object.fromEntries(given) }),
  };
}

function draw(groups: readonly Group[], target: number): Group {
  for (const group of groups) {
    target -= group.chance;
    if (target < 0) return group;
  }
  return groups.at(-1)!;
}

function makeGroup(name: string, options: MixtureOptions, cost: (d: Document) => number): Group {
  const { documents, generators, split, seed, weights } = options;
  const named = (context: string): boolean => Object.hasOwn(weights, context);
  const made = (generators?.contexts ?? []).filter((context) =>
    name === "generator" ? !named(context) : context === name,
  );
  const pool = documents.filter(
    (one) =>
      one.split === split && (one.context === name || (one.source === name && !named(one.context))),
  );
  check(made.length + pool.length > 0, "text/mixture", "a weight names no document", {
    got: name,
    wanted: `a context or source that has documents in the split ${split}`,
  });
  const seeded = random(seed).stream(`order/${name}`);
  const at =
    made.length > 0 && generators !== undefined
      ? (n: number) => generators.make(made[n % made.length]!, split, Math.floor(n / made.length))
      : shuffled(pool, seeded);
  const size = made.length > 0 ? 8 * made.length : Math.min(pool.length, 256);
  const step = made.length > 0 ? 1 : pool.length / size;
  const sample = Array.from({ length: size }, (_, n) =>
    made.length > 0 ? at(n) : pool[Math.floor(n * step)]!,
  );
  const mean = sample.reduce((sum, document) => sum + cost(document), 0) / sample.length;
  const contexts = made.length > 0 ? made : pool.map(({ context }) => context);
  return { name, contexts, at, chance: weights[name]! / Math.max(mean, 1) };
}

function shuffled(pool: readonly Document[], rng: Random): (n: number) => Document {
  let round = -1;
  let order: Document[] = [];
  return (n) => {
    const wanted = Math.floor(n / pool.length);
    if (wanted !== round) {
      round = wanted;
      order = rng.stream(String(round)).shuffle([...pool]);
    }
    return order[n % pool.length]!;
  };
}

export interface RowSourceState {
  /** The mixture before the oldest document of which a token still waits. */
  mixture: MixtureState;
  /** Tokens of it that were taken already. */
  skip: number;
}

export interface RowSource {
  /** The next rows; `contexts` is the same list, in the same order, each time. */
  take(rows: number): TokenRows;
  state(): RowSourceState;
}

/** Rows without end, from a mixture. `from` continues with the same rows that would have come. */
export function mixtureRows(
  tokenizer: Tokenizer,
  options: MixtureOptions,
  { n_ctx, contexts }: { n_ctx: number; contexts?: readonly string[] },
  from?: RowSourceState,
): RowSource {
  const source = mixture({ cost: tokenCost(tokenizer), ...options }, from?.mixture);
  const packer = startPacking(
    tokenizer,
    n_ctx,
    contexts ?? [...source.contexts, carrier, endContext],
  );
  /** Of each waiting document: the mixture's state before it, and its first token. */
  let starts: { state: MixtureState; at: number }[] = [];
  let taken = from?.skip ?? 0; // tokens, counted as `total` and `at` are
  let total = 0;
  const add = (): void => {
    starts.push({ state: source.state(), at: total });
    const before = packer.length;
    packer.add(source.next());
    total += packer.length - before;
  };
  if (from !== undefined && from.skip > 0) {
    while (packer.length < from.skip) add();
    packer.drop(from.skip);
  }
  return {
    take(rows) {
      while (packer.length < rows * n_ctx) add();
      taken += rows * n_ctx;
      const made = packer.take(rows);
      const first = starts.findLastIndex(({ at }) => at <= taken);
      if (first > 0) starts = starts.slice(first);
      return made;
    },
    state: () => {
      const first = starts[0];
      if (first === undefined || taken >= total) return { mixture: source.state(), skip: 0 };
      return { mixture: first.state, skip: taken - first.at };
    },
  };
}

function tokenCost(tokenizer: Tokenizer): (document: Document) => number {
  return ({ text }) => tokenizer.encode(text).length + 1;
}
