// What is done to a running model: plain records that JSON can hold, and short ways to write them.
import { z } from "zod";
import { fail } from "../base/errors.ts";
import type { Value } from "../graph/index.ts";
import type { Store } from "../storage/store.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { isFileRef, openFile, type Source, SourceSchema, serialSource } from "./sources.ts";
import { type Where, WhereSchema } from "./where.ts";

const where = WhereSchema;
/** A value, or the range that values are kept in. */
const target = z.union([
  z.number(),
  z.strictObject({ min: z.number().optional(), max: z.number().optional() }).readonly(),
]);
export type Target = z.infer<typeof target>;

/** A feature of the dictionary that is spliced in: set, or multiplied. */
const featureEdit = z.union([
  z.strictObject({ index: z.int().min(0), to: z.number() }).readonly(),
  z.strictObject({ index: z.int().min(0), factor: z.number() }).readonly(),
]);

export type FeatureEdit = z.infer<typeof featureEdit>;

const ablations = z.discriminatedUnion("how", [
  z.strictObject({ kind: z.literal("ablate"), how: z.literal("zero"), where }).readonly(),
  /** The mean over other texts: `meanActivations`. */
  z
    .strictObject({ kind: z.literal("ablate"), how: z.literal("mean"), value: SourceSchema, where })
    .readonly(),
  /** Values of other prompts: `resampleActivations`. */
  z
    .strictObject({
      kind: z.literal("ablate"),
      how: z.literal("resample"),
      value: SourceSchema,
      where,
    })
    .readonly(),
]);

const clamps = z.discriminatedUnion("what", [
  /** The component along a direction, of whatever length: x + (to − x·u)·u with u = d/‖d‖. */
  z
    .strictObject({
      kind: z.literal("clamp"),
      what: z.literal("direction"),
      direction: SourceSchema,
      to: target,
      where,
    })
    .readonly(),
  /** A feature's activation a = x·encode + bias where that is above the threshold, else 0: x + (to − a)·decode. */
  z
    .strictObject({
      kind: z.literal("clamp"),
      what: z.literal("feature"),
      encode: SourceSchema,
      decode: SourceSchema,
      bias: z.number().default(0),
      threshold: z.number().default(0),
      to: target,
      where,
    })
    .readonly(),
]);

/** The single definition of what an intervention is; `edit` is for code alone and not in it. */
export const InterventionSchema = z
  .discriminatedUnion("kind", [
    ablations,
    /** Values of another run, at the same places. */
    z.strictObject({ kind: z.literal("patch"), value: SourceSchema, where }).readonly(),
    /** Adds coefficient · direction. */
    z
      .strictObject({
        kind: z.literal("steer"),
        direction: SourceSchema,
        coefficient: z.number(),
        where,
      })
      .readonly(),
    z.strictObject({ kind: z.literal("scale"), factor: z.number(), where }).readonly(),
    clamps,
    /** Puts a dictionary's reconstruction there; with its error kept only the edits of features count. */
    z
      .strictObject({
        kind: z.literal("splice"),
        dictionary: z.string().min(1),
        /** Of the dictionary: another one under this name is refused. */
        hash: z.string().optional(),
        error: z.enum(["keep", "drop"]),
        features: z.array(featureEdit).min(1).readonly().optional(),
        where,
      })
      .readonly(),
    /** Holds attention patterns, or what norms divide by, at the values of a reference run. */
    z
      .strictObject({
        kind: z.literal("freeze"),
        what: z
          .array(z.enum(["patterns", "norms"]))
          .min(1)
          .readonly(),
        value: SourceSchema,
        where: WhereSchema.unwrap().omit({ sites: true }).readonly().default({}),
      })
      .readonly(),
  ])
  .meta({ id: "Intervention" });

export type SerialIntervention = z.infer<typeof InterventionSchema>;

/** Any graph edit: value → value of the same shape. Not serialisable, and lowered at each run. */
export interface Edit {
  readonly kind: "edit";
  readonly edit: (value: Value) => Value;
  readonly where: Where;
}

/** Applied in the order of the list where several change one site. */
export type Intervention = SerialIntervention | Edit;

/** What is spliced in: its two halves as graph values. Same hash, same halves. */
export interface Splice {
  readonly name: string;
  readonly hash: string;
  /** How many features: the last axis of what `encode` gives. */
  readonly d_sae: number;
  readonly encode: (x: Value) => Value;
  readonly decode: (features: Value) => Value;
  /** The graph inputs that the halves read (the dictionary's weights), and what to feed them. */
  readonly inputs?: readonly Value[];
  readonly feeds?: Readonly<Record<string, Tensor>>;
}

type At = string | Where;
const sourceLike = (from: Source | readonly number[] | Float32Array): Source =>
  Array.isArray(from) || from instanceof Float32Array
    ? { values: Array.from(from) }
    : (from as Source);
const whereOf = (at: At): Where => (typeof at === "string" ? { sites: at } : at);

/** Puts zeros there, or the values given: a mean, or another prompt's. */
export const ablate = (
  at: At,
  by: { how: "mean" | "resample"; value: Source } | { how: "zero" } = { how: "zero" },
): Intervention => made({ kind: "ablate", ...by, where: whereOf(at) });

export const patch = (at: At, value: Source): Intervention =>
  made({ kind: "patch", value, where: whereOf(at) });

/** `patch` with a tensor shaped like the site. */
export const replaceWith = (site: string, value: Tensor<"float32">): Intervention =>
  patch(site, value);

/** A plain list of numbers is a direction too. */
export const steer = (
  at: At,
  direction: Source | readonly number[] | Float32Array,
  coefficient: number,
): Intervention =>
  made({ kind: "steer", direction: sourceLike(direction), coefficient, where: whereOf(at) });

export const scale = (at: At, factor: number): Intervention =>
  made({ kind: "scale", factor, where: whereOf(at) });

/** The component along a direction, or a feature's activation. */
export const clamp = (
  at: At,
  to: Target,
  of: { direction: Source } | { encode: Source; decode: Source; bias?: number; threshold?: number },
): Intervention =>
  "direction" in of
    ? made({ kind: "clamp", what: "direction", ...of, to, where: whereOf(at) })
    : made({
        kind: "clamp",
        what: "feature",
        bias: 0,
        threshold: 0,
        ...of,
        to,
        where: whereOf(at),
      });

export const splice = (
  at: At,
  { name, hash }: Pick<Splice, "name" | "hash">,
  options: { error: "keep" | "drop"; features?: readonly FeatureEdit[] },
): Intervention => made({ kind: "splice", dictionary: name, hash, ...options, where: whereOf(at) });

export const freeze = (
  what: readonly ("patterns" | "norms")[],
  value: Source,
  where: Omit<Where, "sites"> = {},
): Intervention => made({ kind: "freeze", what, value, where });

export const edit = (at: At, change: (value: Value) => Value): Intervention =>
  made({ kind: "edit", edit: change, where: whereOf(at) });

const sound = new WeakSet<object>();

// Checking a record again at each run would cost more than the rest of our own time.
function made<T extends Intervention>(by: T): Intervention {
  return Object.freeze(checked(by, "an intervention"));
}

/** The record with its defaults, frozen; refuses with `intervention/invalid` and the place. */
export function checked(by: Intervention, at: string): Intervention {
  if (sound.has(by)) return by;
  const parsed =
    by?.kind === "edit"
      ? z
          .strictObject({ kind: z.literal("edit"), edit: z.custom<Edit["edit"]>(), where })
          .safeParse(by)
      : InterventionSchema.safeParse(by);
  if (!parsed.success) {
    const issue = deepest(parsed.error.issues[0]!);
    return fail("intervention/invalid", `this is not an intervention: ${issue.message}`, {
      where: [at, ...issue.path].join("."),
      got: (by as { kind?: unknown } | undefined)?.kind,
      wanted: "ablate, patch, steer, scale, clamp, splice, freeze, with all they need",
    });
  }
  const record = Object.freeze(parsed.data);
  sound.add(record);
  return record;
}

interface Issue {
  readonly message: string;
  readonly path: readonly PropertyKey[];
}

/** Of a union that nothing fits, the complaint of the branch that went furthest. */
function deepest(issue: z.core.$ZodIssue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors
    .flatMap((errors) => errors.slice(0, 1).map(deepest))
    .sort((a, b) => b.path.length - a.path.length)[0];
  return inner === undefined
    ? issue
    : { message: inner.message, path: [...issue.path, ...inner.path] };
}

/** A list that came as JSON (text, or parsed), checked, with its defaults, frozen. */
export function parseInterventions(json: unknown): readonly SerialIntervention[] {
  let list = json;
  if (typeof json === "string")
    try {
      list = JSON.parse(json);
    } catch (cause) {
      fail("intervention/invalid", "this is not JSON", { got: json.slice(0, 80), cause });
    }
  if (!Array.isArray(list))
    fail("intervention/invalid", "interventions are a list of records", { got: typeof list });
  return Object.freeze(
    list.map((one, i) => {
      if (one?.kind === "edit") fail("intervention/serial", "an edit is code and not data");
      return checked(one, `[${i}]`) as SerialIntervention;
    }),
  );
}

/** As JSON holds them. Errors: `intervention/serial` for edits, caches and large tensors. */
export function serialInterventions(list: readonly Intervention[]): SerialIntervention[] {
  return list.map((by) => {
    if (by.kind === "edit")
      fail("intervention/serial", "an edit is code and cannot be written as JSON", {
        where: [by.where.sites].flat().join(", "),
        hint: "use ablate, patch, steer, scale, clamp, splice or freeze",
      });
    return mapSources(by, serialSource);
  });
}

/** Reads the files that the records name, once, so that running them reads none. */
export async function openInterventions(
  list: readonly Intervention[],
  store: Store,
): Promise<readonly Intervention[]> {
  const opened = new Map<Source, Tensor<"float32">>();
  for (const by of list)
    for (const source of sourcesOf(by))
      if (isFileRef(source) && !opened.has(source))
        opened.set(source, await openFile(source, store));
  return list.map((by, i) =>
    by.kind === "edit"
      ? by
      : checked(
          mapSources(by, (source) => opened.get(source) ?? source),
          `[${i}]`,
        ),
  );
}

const sourceKeys = ["value", "direction", "encode", "decode"] as const;

function sourceOf(by: object, key: (typeof sourceKeys)[number]): Source | undefined {
  return Reflect.get(by, key);
}

/** Where a record's tensors come from. */
export function sourcesOf(by: Intervention): Source[] {
  return sourceKeys.map((key) => sourceOf(by, key)).filter((source) => source !== undefined);
}

/** The record with something else where its sources were. */
export function mapSources<T extends object>(by: T, change: (source: Source) => unknown): T {
  const changed = sourceKeys.flatMap((key) => {
    const source = sourceOf(by, key);
    return source === undefined ? [] : [[key, change(source)]];
  });
  return { ...by, ...Object.fromEntries(changed) };
}
