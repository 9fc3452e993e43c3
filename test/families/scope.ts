// What the formulae are handed, and the norm that all of them use.
import type { ModelConfig } from "../../src/models/config.ts";
import { map, normalize, plus, type Rows, times } from "./rows.ts";

/** A model, and what one run of it recorded. */
export interface Recorded {
  readonly config: ModelConfig;
  readonly weights: Readonly<Record<string, Rows>>;
  readonly sites: Readonly<Record<string, Rows>>;
  /** What was fed: `tokens`, or `pixels`, and `token_types`. */
  readonly fed: Readonly<Record<string, Rows>>;
  readonly logits?: Rows;
}

/** `of` is a site, or `logits`; `rule` is the invariant that it has to hold. */
export interface Claimed {
  readonly rule: string;
  readonly of: string;
  readonly wanted: Rows;
}

export interface Scope extends Recorded {
  readonly claim: (rule: string, of: string, wanted: Rows) => Rows;
}

/** The two sites of a norm, and what it gives. */
export function norm(
  { config, weights, claim }: Scope,
  at: string,
  x: Rows,
  kind = config.normalization,
) {
  if (kind === "none") return x;
  const { eps = 1e-5, norm_offset = 0 } = config;
  const { scale, rows } = normalize(x, kind, eps);
  claim("a norm divides by √(variance + eps)", `${at}.hook_scale`, scale);
  const normalized = claim("a norm's rows have length √d", `${at}.hook_normalized`, rows);
  const [w, b] = [weights[`${at}.w`], weights[`${at}.b`]];
  const offset = at.endsWith("mlp.ln") ? 0 : norm_offset;
  return plus(
    w === undefined
      ? normalized
      : times(
          normalized,
          map(w, (x) => x + offset),
        ),
    b,
  );
}
