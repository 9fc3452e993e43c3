// Which changes to weights can be written down: one small record each, the same in code and in JSON.
import { check, fail } from "../../base/errors.ts";

/** Where a tensor to put in lies; `sha256` of its float32 bytes, so that a repetition is the same. */
export interface TensorSource {
  /** Key of a `.safetensors` in the store that the view is made with. */
  readonly file: string;
  readonly tensor: string;
  readonly sha256: string;
}

export type NumberEdit =
  /** Single entries: `at[i]` is a full index, `values[i]` what is put there. */
  | {
      readonly kind: "set";
      readonly weight: string;
      readonly at: readonly (readonly number[])[];
      readonly values: readonly number[];
    }
  /**
   * W += scale · Σ_r left[r] right[r]ᵀ on the last two axes (ROME is one such r). A weight with a
   * head axis before them is changed at `head`.
   */
  | {
      readonly kind: "lowRank";
      readonly weight: string;
      readonly head?: number;
      readonly left: readonly (readonly number[])[];
      readonly right: readonly (readonly number[])[];
      readonly scale: number;
    }
  /** Everything at one index of one axis, multiplied: a row, a column, a head, a token. */
  | {
      readonly kind: "scale";
      readonly weight: string;
      readonly axis: number;
      readonly index: number;
      readonly by: number;
    }
  /** What a head writes (W_O of the head); the block's b_O stays. */
  | { readonly kind: "zeroHead"; readonly layer: number; readonly head: number }
  /** What a neuron writes (its row of W_out). */
  | { readonly kind: "zeroNeuron"; readonly layer: number; readonly neuron: number }
  | ({ readonly kind: "replace"; readonly weight: string } & TensorSource);

/** Changes of coordinates: the predictions stay, the values inside do not. */
export type Processing =
  /** Norm weights and biases go into what reads the norm; with layer norm the readers are centred. */
  | { readonly kind: "foldNorms" }
  /** What writes to the residual stream has its mean over d_model taken away. */
  | { readonly kind: "centreWritingWeights" }
  /** The unembedding has its mean over d_vocab taken away: logits shift, probabilities stay. */
  | { readonly kind: "centreUnembed" }
  /** b_V goes into b_O, which it always reaches, as patterns sum to one. */
  | { readonly kind: "foldValueBiases" };

export type WeightEdit = NumberEdit | Processing;

export const foldNorms: WeightEdit = Object.freeze({ kind: "foldNorms" });
export const centreWritingWeights: WeightEdit = Object.freeze({ kind: "centreWritingWeights" });
export const centreUnembed: WeightEdit = Object.freeze({ kind: "centreUnembed" });
export const foldValueBiases: WeightEdit = Object.freeze({ kind: "foldValueBiases" });

export const processingKinds = [
  "foldNorms",
  "centreWritingWeights",
  "centreUnembed",
  "foldValueBiases",
] as const satisfies readonly Processing["kind"][];

export function isProcessing(edit: WeightEdit): edit is Processing {
  return (processingKinds as readonly string[]).includes(edit.kind);
}

type Check = (value: unknown) => unknown;

const whole: Check = (x) => (Number.isSafeInteger(x) && (x as number) >= 0 ? x : undefined);
// JSON has neither infinities nor −0: what could not come back is not let in.
const finite: Check = (x) => (Number.isFinite(x) ? (x as number) + 0 : undefined);
const text: Check = (x) => (typeof x === "string" && x !== "" ? x : undefined);
const sha: Check = (x) => (typeof x === "string" && /^[0-9a-f]{64}$/.test(x) ? x : undefined);
const listOf =
  (one: Check): Check =>
  (x) => {
    if (!Array.isArray(x)) return undefined;
    const all = x.map(one);
    return all.some((part) => part === undefined) ? undefined : Object.freeze(all);
  };
const optional = (one: Check): Check => Object.assign((x: unknown) => one(x), { optional: true });

/** Every kind's fields, in the order in which they are written. */
const fields: Record<WeightEdit["kind"], Record<string, Check>> = {
  set: { weight: text, at: listOf(listOf(whole)), values: listOf(finite) },
  lowRank: {
    weight: text,
    head: optional(whole),
    left: listOf(listOf(finite)),
    right: listOf(listOf(finite)),
    scale: finite,
  },
  scale: { weight: text, axis: whole, index: whole, by: finite },
  zeroHead: { layer: whole, head: whole },
  zeroNeuron: { layer: whole, neuron: whole },
  replace: { weight: text, file: text, tensor: text, sha256: sha },
  foldNorms: {},
  centreWritingWeights: {},
  centreUnembed: {},
  foldValueBiases: {},
};

/**
 * The frozen record that a piece of JSON stands for, its fields in one order: equal edits have equal
 * JSON. Errors: `edit/kind`, `edit/field`.
 */
export function parseEdit(json: unknown): WeightEdit {
  const kind = (json as { kind?: unknown } | null)?.kind;
  if (typeof kind !== "string" || !Object.hasOwn(fields, kind))
    fail("edit/kind", "this is no edit that we know", {
      got: kind,
      wanted: Object.keys(fields).join(" | "),
    });
  const known = fields[kind as WeightEdit["kind"]];
  const given = json as Record<string, unknown>;
  const surplus = Object.keys(given).find((key) => key !== "kind" && !Object.hasOwn(known, key));
  check(surplus === undefined, "edit/field", `${kind} has no such field`, {
    where: kind,
    got: surplus,
    wanted: Object.keys(known).join(", ") || "nothing but its kind",
  });
  const parsed: Record<string, unknown> = { kind };
  for (const [key, read] of Object.entries(known)) {
    if (given[key] === undefined && "optional" in read) continue;
    const value = read(given[key]);
    check(value !== undefined, "edit/field", `${kind}: ${key} is not what it should be`, {
      where: kind,
      got: given[key],
      wanted: wantedOf(read),
    });
    parsed[key] = value;
  }
  return Object.freeze(parsed) as unknown as WeightEdit;
}

function wantedOf(read: Check): string {
  if (read === text) return "a name";
  if (read === finite) return "a finite number";
  if (read === sha) return "64 hexadecimal digits";
  return read === whole ? "a whole number from 0" : "lists of finite or whole numbers from 0";
}
