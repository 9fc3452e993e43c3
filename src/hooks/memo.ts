// Which programs need not be lowered again: those of the same model shape, sites and interventions.
import type { Program } from "../graph/index.ts";
import type { Intervention } from "./interventions.ts";

const kept = new Map<string, Program>();
const most = 64;

/** `parts` must determine the program. Edits are functions, so programs with one are made anew. */
export function remembered(
  parts: readonly unknown[],
  interventions: readonly Intervention[],
  make: () => Program,
): Program {
  if (interventions.some(({ kind }) => kind === "edit")) return make();
  const key = JSON.stringify([parts, interventions.map(({ kind, site }) => [kind, site])]);
  const program = kept.get(key) ?? make();
  // A Map iterates in order of insertion: the least recently used comes first.
  kept.delete(key);
  kept.set(key, program);
  if (kept.size > most) kept.delete(kept.keys().next().value!);
  return program;
}
