// What does a list of interventions come to for this model and these tokens: which steps at which sites,
// and which numbers are fed to them? Steps make the graph; numbers are its inputs and can change freely.
import { check, fail } from "../base/errors.ts";
import type { ModelConfig, SiteRow } from "../models/index.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import { matchSites, siteAt } from "./globs.ts";
import {
  checked,
  type Edit,
  type FeatureEdit,
  type Intervention,
  type Splice,
  type Target,
} from "./interventions.ts";
import { type Masks, masksOf } from "./masks.ts";
import { isSlot, type Slot, shown, slotOf } from "./slots.ts";
import { type Feeds, isShared, type Source, tensorFor } from "./sources.ts";
import { maskOf, placeMask } from "./where.ts";

/** What happens to a site's value. */
export type Change =
  | { readonly kind: "zero" }
  | { readonly kind: "set"; readonly value: Slot }
  | { readonly kind: "steer"; readonly direction: Slot; readonly coefficient: Slot }
  | { readonly kind: "scale"; readonly factor: Slot }
  | ({ readonly kind: "direction"; readonly unit: Slot } & Range)
  | ({
      readonly kind: "feature";
      readonly encode: Slot;
      readonly decode: Slot;
      readonly bias: Slot;
      readonly threshold: Slot;
    } & Range)
  | {
      readonly kind: "splice";
      readonly splice: Splice;
      readonly keep: boolean;
      readonly features?: { readonly set: Slot; readonly to: Slot; readonly factor: Slot };
    }
  | { readonly kind: "edit"; readonly edit: Edit["edit"] };

interface Range {
  readonly min: Slot;
  readonly max: Slot;
}

export interface Step {
  readonly site: string;
  readonly row: SiteRow;
  readonly change: Change;
  readonly masks: Masks;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Equal where the graphs are equal, whatever the numbers; undefined where an edit takes part. */
  readonly key: string | undefined;
}

/** What the records refer to. */
export interface Handed {
  feeds?: Feeds;
  splices?: readonly Splice[];
}

export const nothing: Plan = { steps: [], key: "[]" };

/** One plan after the other; the second was numbered from where the first ended. */
export function joined(a: Plan, b: Plan): Plan {
  const key = a.key === undefined || b.key === undefined ? undefined : `${a.key} ${b.key}`;
  return { steps: [...a.steps, ...b.steps], key };
}

/**
 * Refuses what cannot fire on these tokens: `site/…` for places that are not there,
 * `intervention/…` for records that are wrong or lack something.
 */
export function planInterventions(
  config: ModelConfig,
  list: readonly Intervention[],
  tokens: Tensor,
  { feeds = {}, splices = [], first = 0 }: Handed & { first?: number } = {},
): Plan {
  if (list.length === 0) return nothing;
  const [batch, pos] = tokens.shape as [number, number];
  const steps = list.flatMap((given, i) => {
    const by = checked(given, `[${i}]`);
    const where = by.kind === "freeze" ? { ...by.where, sites: frozenSites(by.what) } : by.where;
    const found = matchSites(config, where.sites, where.layers);
    const place = placeMask(where, tokens);
    const at = { config, tokens, feeds, splices, name: `intervention ${first + i}` };
    return found.map((site): Step => {
      const { row, shape: full } = siteAt(config, site, { batch, pos });
      const masks = masksOf(where, { site, row, full, name: at.name, place });
      return { site, row, masks, change: changeOf(by, { ...at, site, full }) };
    });
  });
  const key = steps.some(({ change }) => change.kind === "edit")
    ? undefined
    : JSON.stringify(steps.map(({ site, change, masks }) => [site, shown(change), shown(masks)]));
  return { steps, key };
}

function frozenSites(what: readonly ("patterns" | "norms")[]): string[] {
  return what.map((one) => (one === "patterns" ? "**.hook_pattern" : "**.hook_scale"));
}

/** The sites whose values a list reads from a feed: what the run that makes the feed has to record. */
export function feedSites(
  config: ModelConfig,
  list: readonly Intervention[],
  feed: string,
): string[] {
  const found = list.flatMap((given, i) => {
    const by = checked(given, `[${i}]`);
    const value: Source | undefined = Reflect.get(by, "value");
    if (value === undefined || !("feed" in value) || value.feed !== feed) return [];
    const sites =
      by.kind === "freeze" ? frozenSites(by.what) : by.kind === "edit" ? [] : by.where.sites;
    return matchSites(config, sites, by.where.layers);
  });
  return [...new Set(found)];
}

interface At {
  name: string;
  site: string;
  /** The site's shape for all rows. */
  full: readonly number[];
  feeds: Feeds;
  splices: readonly Splice[];
}

function changeOf(by: Intervention, at: At): Change {
  const number = (slot: string, x: number): Slot => slotOf(`${at.name} ${slot}`, f32([], [x]));
  const range = (to: Target): Range => {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } =
      typeof to === "number" ? { min: to, max: to } : to;
    check(min <= max, "intervention/invalid", "a range ends before it begins", {
      where: at.site,
      got: { min, max },
    });
    return { min: number("min", min), max: number("max", max) };
  };
  switch (by.kind) {
    case "edit":
      return { kind: "edit", edit: by.edit };
    case "scale":
      return { kind: "scale", factor: number("factor", by.factor) };
    case "steer":
      return {
        kind: "steer",
        direction: valueSlot(by.direction, "direction", at),
        coefficient: number("coefficient", by.coefficient),
      };
    case "clamp":
      if (by.what === "direction")
        return { kind: "direction", unit: unitSlot(by.direction, at), ...range(by.to) };
      return {
        kind: "feature",
        encode: valueSlot(by.encode, "encode", at),
        decode: valueSlot(by.decode, "decode", at),
        bias: number("bias", by.bias),
        threshold: number("threshold", by.threshold),
        ...range(by.to),
      };
    case "splice":
      return spliceOf(by, at);
    case "ablate":
      if (by.how === "zero") return { kind: "zero" };
      return { kind: "set", value: valueSlot(by.value, "value", at) };
    case "patch":
    case "freeze":
      return { kind: "set", value: valueSlot(by.value, "value", at) };
  }
}

/** A tensor that broadcasts to the site: its own shape, or a trailing part of it, with ones. */
function valueSlot(source: Source, what: string, { name, site, full, feeds }: At): Slot {
  const value = tensorFor(source, site, feeds);
  const skipped = full.length - value.shape.length;
  const fits =
    value.dtype === "float32" &&
    skipped >= 0 &&
    value.shape.every((n, i) => n === 1 || n === full[skipped + i]);
  check(fits, "shape/intervention", `the ${what} of an intervention does not fit its site`, {
    where: site,
    got: `${value.dtype} [${value.shape.join(", ")}]`,
    wanted: `float32 [${full.join(", ")}], or its last axes`,
  });
  const perRow = skipped === 0 && value.shape[0]! > 1;
  // One tensor for all sites is one input.
  const shared = isShared(source, feeds);
  return slotOf(`${name} ${what}${shared ? "" : ` ${site}`}`, value, perRow);
}

const units = new WeakMap<Tensor, Tensor<"float32">>();

/** The direction at length one along the last axis. */
function unitSlot(source: Source, at: At): Slot {
  const slot = valueSlot(source, "direction", at);
  const from = slot.tensor as Tensor<"float32">;
  const width = at.full.at(-1)!;
  check(from.shape.at(-1) === width, "shape/intervention", "a direction does not span its site", {
    where: at.site,
    got: `[${from.shape.join(", ")}]`,
    wanted: `[${width}]`,
  });
  let unit = units.get(from);
  if (unit === undefined) {
    const data = new Float32Array(from.data.length);
    for (let i = 0; i < data.length; i += width) {
      const one = from.data.subarray(i, i + width);
      const length = Math.sqrt(one.reduce((sum, x) => sum + x * x, 0));
      check(length > 0, "intervention/invalid", "a direction of length zero points nowhere", {
        where: at.site,
      });
      for (let j = 0; j < width; j++) data[i + j] = one[j]! / length;
    }
    unit = f32(from.shape, data);
    units.set(from, unit);
  }
  return { ...slot, tensor: unit };
}

function spliceOf(by: Extract<Intervention, { kind: "splice" }>, at: At): Change {
  const splice = at.splices.find(({ name }) => name === by.dictionary);
  if (splice === undefined)
    return fail("intervention/splice", `the dictionary ${by.dictionary} was not handed in`, {
      where: at.site,
      got: at.splices.map(({ name }) => name).join(", ") || "no dictionaries",
      wanted: by.dictionary,
    });
  check(
    by.hash === undefined || by.hash === splice.hash,
    "intervention/hash",
    "this is not the dictionary that was meant",
    { where: by.dictionary, got: splice.hash, wanted: by.hash },
  );
  const keep = by.error === "keep";
  if (by.features === undefined) return { kind: "splice", splice, keep };
  return { kind: "splice", splice, keep, features: featureSlots(by.features, splice, at) };
}

function featureSlots(edits: readonly FeatureEdit[], { d_sae, name }: Splice, at: At) {
  const set = maskOf([], d_sae);
  const to = new Float32Array(d_sae);
  const factor = new Float32Array(d_sae).fill(1);
  for (const edit of edits) {
    check(edit.index < d_sae, "intervention/feature", `${name} has no feature ${edit.index}`, {
      where: at.site,
      got: edit.index,
      wanted: `0 to ${d_sae - 1}`,
    });
    if ("factor" in edit) factor[edit.index] = edit.factor;
    else {
      set.data[edit.index] = 1;
      to[edit.index] = edit.to;
    }
  }
  return {
    set: slotOf(`${at.name} set`, set),
    to: slotOf(`${at.name} to`, f32([d_sae], to)),
    factor: slotOf(`${at.name} features`, f32([d_sae], factor)),
  };
}

/** Every slot of a plan, once. */
export function slotsOf({ steps }: Plan): Slot[] {
  const found = new Map<string, Slot>();
  const walk = (parts: object): void => {
    for (const part of Object.values(parts)) {
      if (isSlot(part)) found.set(part.name, part);
      else if (typeof part === "object" && part !== null && !("encode" in part)) walk(part);
    }
  };
  for (const { change, masks } of steps) {
    walk(change);
    walk(masks);
  }
  return [...found.values()];
}
