// Which programs over a model are made already? Its weights are bound once, each program lowered once.
import type { Program } from "../graph/index.ts";
import { type BoundWeights, bindWeights, type Model } from "../models/index.ts";

const known = new WeakMap<Model, { bound: BoundWeights; programs: Map<string, Program> }>();
const most = 32;

/** `parts` must determine the program; undefined makes it anew and keeps nothing. */
export function programOver(
  model: Model,
  parts: readonly unknown[] | undefined,
  make: (bound: BoundWeights) => Program,
): { program: Program; feeds: BoundWeights["feeds"] } {
  const of = known.get(model) ?? { bound: bindWeights(model), programs: new Map() };
  known.set(model, of);
  const { bound, programs } = of;
  if (parts === undefined) return { program: make(bound), feeds: bound.feeds };
  const key = JSON.stringify(parts);
  const program = programs.get(key) ?? make(bound);
  programs.delete(key);
  programs.set(key, program);
  if (programs.size > most) programs.delete(programs.keys().next().value!);
  return { program, feeds: bound.feeds };
}
