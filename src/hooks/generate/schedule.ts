// Which interventions act at a step of writing? Those on the prompt, and those on a new token, by absolute position.
import type { ModelConfig } from "../../models/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Intervention } from "../interventions.ts";
import { type Handed, nothing, type Plan, planInterventions } from "../plan.ts";
import { indices, type Span } from "../where.ts";

/** Where interventions act while a text is written: a choice that is never made silently. */
export type During = "prompt" | "new" | "both";

/** At the prompt, where all places are known. */
export function promptPlan(
  config: ModelConfig,
  list: readonly Intervention[],
  tokens: Tensor,
  during: During,
  handed: Handed,
): Plan {
  return during === "new" ? nothing : planInterventions(config, list, tokens, handed);
}

/**
 * At new tokens [batch, 1], which stand at absolute position `position`. Positions of a record count from the start of
 * the prompt; those that count from its end belong to the prompt alone.
 */
export function tokenPlan(
  config: ModelConfig,
  list: readonly Intervention[],
  tokens: Tensor,
  position: number,
  during: During,
  handed: Handed,
): Plan {
  if (during === "prompt") return nothing;
  const acting = list.filter((by) => acts(by, position, tokens)).map(withoutPositions);
  return planInterventions(config, acting, tokens, handed);
}

/** All positions at once, without a cache: the same records act at the same places as step by step. */
export function wholePlan(
  config: ModelConfig,
  list: readonly Intervention[],
  tokens: Tensor,
  prompt: number,
  during: During,
  handed: Handed,
): Plan {
  const total = tokens.shape[1]!;
  const placed = list.flatMap((by) => {
    const { positions, sites } = by.where as { positions?: "all" | Span[]; sites?: string };
    const at = { code: "site/position", what: "position", where: String(sites ?? by.kind) };
    const named = indices(positions, prompt, at) ?? [...Array(prompt).keys()];
    const later = Array.from({ length: total - prompt }, (_, i) => prompt + i);
    const acting = [
      ...(during === "new" ? [] : named),
      ...(during === "prompt" ? [] : later.filter((position) => reaches(by, position))),
    ];
    if (acting.length === 0) return [];
    return acting.length === total ? [atPositions(by, undefined)] : [atPositions(by, acting)];
  });
  return planInterventions(config, placed, tokens, handed);
}

function acts(by: Intervention, position: number, tokens: Tensor): boolean {
  const wanted = by.where.tokens;
  const read = tokens.data as Int32Array;
  return reaches(by, position) && (wanted === undefined || wanted.some((id) => read.includes(id)));
}

function reaches({ where: { positions } }: Intervention, position: number): boolean {
  if (positions === undefined || positions === "all") return true;
  return positions.some((span) => {
    if (typeof span === "number") return span === position;
    const { from, to = Number.POSITIVE_INFINITY } = span;
    return from >= 0 && position >= from && position < to;
  });
}

const stripped = new WeakMap<Intervention, Intervention>();

/** The same record without its positions; made once, so that its numbers are wrapped once. */
function withoutPositions(by: Intervention): Intervention {
  if (by.where.positions === undefined) return by;
  const made = stripped.get(by) ?? atPositions(by, undefined);
  stripped.set(by, made);
  return made;
}

function atPositions(by: Intervention, positions: readonly number[] | undefined): Intervention {
  const { positions: _, ...rest } = by.where;
  const where = positions === undefined ? rest : { ...rest, positions };
  return Object.freeze({ ...by, where: Object.freeze(where) }) as Intervention;
}
