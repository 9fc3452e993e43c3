// Which programs need not be lowered again: those of the same model shape, sites and kinds of interventions.
import type { Program } from "../graph/index.ts";
import { type BoundWeights, bindWeights, type Model } from "../models/index.ts";
import type { Plan } from "./plan.ts";

const kept = new Map<string, Program>();
const most = 64;

/** `parts` must determine the program. Edits are functions, so programs with one are made anew. */
export function remembered(parts: readonly unknown[], plan: Plan, make: () => Program): Program {
  if (plan.key === undefined) return make();
  const key = JSON.stringify([parts, plan.key]);
  const program = kept.get(key) ?? make();
  // A Map iterates in order of insertion: the least recently used comes first.
  kept.delete(key);
  kept.set(key, program);
  if (kept.size > most) kept.delete(kept.keys().next().value!);
  return program;
}

const bound = new WeakMap<Model, BoundWeights>();

/** A model's weights, bound once: their values are read by every program over it. */
export function boundWeights(model: Model): BoundWeights {
  const known = bound.get(model) ?? bindWeights(model);
  bound.set(model, known);
  return known;
}
