// What does a reading work on: a model, a prompt cut into tokens, and tokens named on the command line?
import { z } from "zod";
import { check, fail } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import type { Figure } from "../circuits/index.ts";
import type { Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { TokenPiece } from "../text/index.ts";
import type { Screen } from "./ink.ts";
import { tokenLabel } from "./picture.ts";
import type { Image } from "./read-image.ts";

export interface Prompt {
  readonly ids: Int32Array;
  readonly tokens: Tensor<"int32">; // [1, pos]
  readonly pieces: readonly (TokenPiece & { id: number })[];
  readonly labels: readonly string[];
}

/** Which readings are wanted, and of what. */
export interface ReadOptions {
  lens?: "logit" | "tuned";
  /** `all`, or layers and heads: `2,3.1`. */
  attention?: string | true;
  heads?: boolean;
  circuits?: string;
  composition?: boolean;
  attribution?: boolean;
  /** Tokens, as text or as `#id`. */
  answer?: string;
  wrong?: string;
  /** The prompt that values are taken from. */
  corrupt?: string;
  patch?: string;
  paths?: boolean;
  /** A file of labelled texts, or `contexts`. */
  probe?: string;
  strip?: readonly string[];
  layers?: readonly number[];
  top: number;
  seed: number;
}

export interface Session {
  readonly model: Model;
  readonly backend: Backend;
  /** Absent where only weights, random tokens or images are read. */
  readonly prompt?: Prompt;
  readonly image?: Image;
  readonly options: ReadOptions;
  readonly context: Context;
}

/** One reading: its numbers as one JSON value, and the same as lines for a terminal. */
export interface Reading<R> {
  /** Its key in the document. */
  readonly name: string;
  asked(options: ReadOptions): boolean;
  read(session: Session): Promise<R>;
  lines(report: R, screen: Screen): string[];
}

export const TokenSchema = z.strictObject({
  id: z.int(),
  text: z.string(),
  hex: z.string().optional(),
  special: z.string().optional(),
});
export type Token = z.infer<typeof TokenSchema>;

export const FigureSchema = z.strictObject({
  value: z.number(),
  controls: z.array(
    z.strictObject({
      kind: z.string(),
      value: z.number(),
      low: z.number().nullable(),
      high: z.number().nullable(),
      draws: z.int(),
    }),
  ),
});
export type FigureRecord = z.infer<typeof FigureSchema>;

export function recordOf({ value, controls }: Figure): FigureRecord {
  return { value, controls: controls.map((control) => ({ ...control })) };
}

/** Whether a value lies above all that its controls gave; with a sign, further from zero on its side. */
export function isClear({ value, controls }: FigureRecord, { signed = false } = {}): boolean {
  const below = signed && value < 0;
  return controls.every((c) =>
    below ? value < Math.min(0, c.low ?? c.value) : value > (c.high ?? c.value),
  );
}

export const mark = (figure: FigureRecord, options?: { signed?: boolean }): string =>
  isClear(figure, options) ? "●" : "○";

/** A model without a tokenizer takes ids: `464,2068`. Errors: `text/empty`, `model/tokenizer`. */
export function readPrompt(model: Model, text: string): Prompt {
  const { tokenizer, config } = model;
  const ids = tokenizer ? tokenizer.encode(text, { special: true }) : idsOf(text, config.name);
  check(ids.length > 0, "text/empty", "the prompt has no tokens", { got: text });
  return promptOf(model, ids);
}

export function promptOf(model: Model, ids: Int32Array): Prompt {
  const pieces = tokensOf(model, ids);
  return {
    ids,
    tokens: tensor("int32", [1, ids.length], ids),
    pieces,
    labels: pieces.map(tokenLabel),
  };
}

/** What ids stand for; `#7` where no tokenizer knows. */
export function tokensOf({ tokenizer }: Model, ids: ArrayLike<number>): Token[] {
  return Array.from(ids, (id) => {
    const known = tokenizer !== undefined && id < tokenizer.d_vocab;
    return { id, ...(known ? tokenizer.pieces([id])[0]! : { text: `#${id}` }) };
  });
}

function idsOf(text: string, where: string): Int32Array {
  const list = text.split(",").map((part) => Number(part.trim().replace(/^#/, "") || Number.NaN));
  check(
    list.every((id) => Number.isInteger(id) && id >= 0),
    "model/tokenizer",
    "this model has no tokenizer to read a prompt with",
    { where, got: text, wanted: "token ids: --prompt 464,2068,7586" },
  );
  return Int32Array.from(list);
}

/** A token as text, as it is printed (`·the`), or as `#id`. Errors: `option/unknown`. */
export function tokenOf(model: Model, text: string, option: string): number {
  const { d_vocab } = model.config;
  const id = /^#(\d+)$/.exec(text)?.[1];
  if (id !== undefined) {
    check(Number(id) < d_vocab, "option/unknown", "a token is outside the vocabulary", {
      where: option,
      got: text,
      wanted: `#0 to #${d_vocab - 1}`,
    });
    return Number(id);
  }
  const plain = { special: false };
  const ways = [text, text.replaceAll("·", " ").replaceAll("⏎", "\n")];
  for (const way of ways) {
    const found = model.tokenizer?.encode(way, plain);
    if (found?.length === 1) return found[0]!;
  }
  const cut = model.tokenizer && tokensOf(model, model.tokenizer.encode(ways[1]!, plain));
  return fail("option/unknown", `${option} is not one token of this model`, {
    got: cut === undefined ? text : `${text}, which is ${cut.map(tokenLabel).join(" ")}`,
    wanted: `one token, as text or by its number: ${option} '#${Math.min(17, d_vocab - 1)}'`,
  });
}

/** Errors: `option/unknown` for a reading that needs one. */
export function promptFor({ prompt }: Session, option: string): Prompt {
  if (prompt !== undefined) return prompt;
  return fail("option/unknown", `${option} reads a prompt`, { wanted: "--prompt TEXT" });
}

/** The layers that are shown; all where none are named. Errors: `option/unknown`. */
export function shownLayers({ model: { config }, options }: Session): number[] {
  const every = Array.from({ length: config.n_layers }, (_, layer) => layer);
  if (options.layers === undefined) return every;
  const odd = options.layers.find((layer) => layer >= config.n_layers);
  check(odd === undefined, "option/unknown", "there is no such layer", {
    where: "--layers",
    got: odd,
    wanted: `0 to ${config.n_layers - 1}`,
  });
  return every.filter((layer) => options.layers!.includes(layer));
}

/** Evenly drawn from a list, first and last always among them. */
export function thinned<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  const step = (list.length - 1) / Math.max(1, most - 1);
  return Array.from({ length: Math.max(1, most) }, (_, i) => list[Math.round(i * step)]!);
}
