// How a config.json describes rotary positions, in its present words and in its older ones.
import { check, fail } from "../../base/errors.ts";
import type { Rotary, RotaryScaling } from "../config.ts";
import { type Keys, present } from "./keys.ts";

export interface RotaryDefaults {
  d_head: number;
  base?: number;
  /** The part of each head that turns. */
  partial?: number;
  interleaved?: boolean;
  /** Which of several descriptions: `full_attention`, `sliding_attention`. */
  layers?: string;
}

type Words = Readonly<Record<string, unknown>>;

/** Since transformers 5 all is in `rope_parameters`; before, in `rope_theta` and `rope_scaling`. */
export function readRotary(
  keys: Keys,
  { d_head, base = 10000, partial = 1, interleaved, layers }: RotaryDefaults,
): Rotary {
  const theta = keys.optional("rope_theta") ?? keys.optional("rotary_emb_base");
  const older = keys.optional("partial_rotary_factor") ?? keys.optional("rotary_pct");
  const scaling = keys.record("rope_scaling");
  const all = keys.record("rope_parameters");
  const nested = layers === undefined ? undefined : (all?.[layers] as Words | undefined);
  const words: Words = nested ?? all ?? scaling ?? {};
  const number = (name: string): number | undefined => {
    const got = words[name] ?? undefined;
    if (got === undefined || typeof got === "number") return got;
    return fail("model/config", `rope_parameters.${name} is not a number`, {
      where: keys.where,
      got,
    });
  };
  const part = number("partial_rotary_factor") ?? older ?? partial;
  return present({
    base: number("rope_theta") ?? theta ?? base,
    dim: Math.trunc(d_head * part),
    interleaved,
    scaling: readScaling(keys, words, number),
  });
}

function readScaling(
  keys: Keys,
  words: Words,
  number: (name: string) => number | undefined,
): RotaryScaling | undefined {
  const type = (words.rope_type ?? words.type ?? "default") as string;
  const most = keys.optional("max_position_embeddings") ?? 0;
  const top = keys.optional("original_max_position_embeddings");
  const original = number("original_max_position_embeddings") ?? top ?? most;
  const known = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
  const uses = (...names: string[]): void => {
    const left = Object.keys(words).filter(
      (name) => words[name] !== null && ![...known, ...names].includes(name),
    );
    check(left.length === 0, "model/config-unknown", "a rotary setting that we do not know", {
      where: keys.where,
      got: left.join(", "),
      wanted: names.join(", "),
    });
  };
  const need = (name: string): number =>
    number(name) ??
    fail("model/config", `rope_parameters.${name} is missing`, { where: keys.where });
  const originalKey = "original_max_position_embeddings";
  switch (type) {
    case "default":
      uses(originalKey, "factor");
      return undefined;
    case "linear":
      uses("factor", originalKey);
      return { type, factor: need("factor") };
    case "dynamic":
      uses("factor", originalKey);
      return { type, factor: need("factor"), original: most };
    case "llama3":
      uses("factor", "low_freq_factor", "high_freq_factor", originalKey);
      return {
        type,
        factor: need("factor"),
        low: need("low_freq_factor"),
        high: need("high_freq_factor"),
        original: need(originalKey),
      };
    case "yarn": {
      uses(
        ..."factor attention_factor beta_fast beta_slow mscale mscale_all_dim truncate".split(" "),
        originalKey,
      );
      const factor = number("factor") ?? most / original;
      return {
        type,
        factor,
        original,
        beta_fast: number("beta_fast") ?? 32,
        beta_slow: number("beta_slow") ?? 1,
        attention_factor: number("attention_factor") ?? yarnGain(factor, number),
        truncate: words.truncate !== false,
      };
    }
    case "longrope":
    case "su": {
      uses("factor", "attention_factor", "short_factor", "long_factor", originalKey);
      const factor = number("factor") ?? most / original;
      return {
        type: "longrope",
        short: words.short_factor as number[],
        long: words.long_factor as number[],
        original,
        attention_factor: number("attention_factor") ?? longGain(factor, original),
      };
    }
    default:
      return fail("model/config-unsupported", "a kind of rotary scaling that we lack", {
        where: keys.where,
        got: type,
        wanted: "default, linear, dynamic, llama3, yarn, longrope",
      });
  }
}

function yarnGain(factor: number, number: (name: string) => number | undefined): number {
  const gain = (by: number): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const [one, all] = [number("mscale"), number("mscale_all_dim")];
  return one && all ? gain(one) / gain(all) : gain(1);
}

function longGain(factor: number, original: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
}
