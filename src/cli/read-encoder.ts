// What does an encoder make of a text or an image: its outputs, beside those of the same parts in another order?
import { z } from "zod";
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { type Intervention, matchSites, runWithCache } from "../hooks/index.ts";
import { type EncoderFeeds, type EncoderOutput, type Model, runEncoder } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { number } from "./format.ts";
import { aligned, tokenLabel } from "./picture.ts";
import { type Image, shuffledPatches } from "./read-image.ts";
import { FigureSchema, type Prompt, TokenSchema } from "./read-session.ts";
import { type SiteReport, siteReport } from "./run-report.ts";

const OutputSchema = z.strictObject({
  output: z.string(),
  shape: z.array(z.int()),
  /** Euclidean length. */
  length: z.number(),
  /** Cosine with the same output for the same tokens or patches in another order. */
  shuffled: z.strictObject({
    value: z.number(),
    low: z.number(),
    high: z.number(),
    draws: z.int(),
  }),
});
const ClassSchema = z.strictObject({ class: z.int(), p: FigureSchema });
export const EncoderReportSchema = z.strictObject({
  model: z.string(),
  reads: z.enum(["text", "image"]),
  tokens: z.array(TokenSchema),
  outputs: z.array(OutputSchema),
  /** Of an encoder that tells classes apart, likeliest first; beside the shuffled input. */
  classes: z.array(ClassSchema),
  sites: z.record(
    z.string(),
    z.custom<SiteReport>((x) => typeof x === "object"),
  ),
});
export type EncoderReport = z.infer<typeof EncoderReportSchema>;

const draws = 8;

export interface EncoderRun {
  prompt?: Prompt;
  image?: Image;
  sites: readonly string[];
  interventions: readonly Intervention[];
  top: number;
  seed: number;
}

export async function encoderReport(
  model: Model,
  backend: Backend,
  { prompt, image, sites: patterns, interventions, top, seed }: EncoderRun,
): Promise<EncoderReport> {
  const { config } = model;
  check(
    image === undefined || interventions.length === 0,
    "model/encoder",
    "interventions act on models that read tokens",
    { where: config.name },
  );
  const sites = patterns.length === 0 ? [] : matchSites(config, patterns);
  const feeds: EncoderFeeds = image ? { pixels: image.pixels } : { tokens: prompt!.tokens };
  const { outputs, cache } = await runEncoder(model, backend, feeds, { sites });
  const changed =
    interventions.length === 0
      ? undefined
      : await runWithCache(model, backend, prompt!.tokens, { sites, interventions });
  const rng = random(seed).stream("shuffled");
  const others: (typeof outputs)[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const order = image ? shuffledPatches(image, rng) : { tokens: shuffledTokens(prompt!, rng) };
    others.push((await runEncoder(model, backend, order)).outputs);
  }
  const [classes] = config.encoder?.n_classes ? [outputs.logits] : [];
  return {
    model: config.name,
    reads: image ? "image" : "text",
    tokens: [...(image?.pieces ?? prompt!.pieces)],
    outputs: (Object.keys(outputs) as EncoderOutput[]).map((output) => {
      const own = outputs[output]!;
      const cosines = others.map((other) => cosine(own.data, other[output]!.data));
      return {
        output,
        shape: [...own.shape],
        length: Math.sqrt(product(own.data, own.data)),
        shuffled: {
          value: cosines.reduce((a, b) => a + b) / draws,
          low: Math.min(...cosines),
          high: Math.max(...cosines),
          draws,
        },
      };
    }),
    classes: classes
      ? likeliest(
          classes,
          others.map(({ logits }) => logits!),
          top,
        )
      : [],
    sites: Object.fromEntries(
      sites.map((site) => [site, siteReport(model, site, cache, changed?.cache)]),
    ),
  };
}

export function encoderLines({ model, reads, tokens, outputs, classes }: EncoderReport): string[] {
  const parts = reads === "image" ? "patches" : "tokens";
  const n = reads === "image" ? tokens.length - 1 : tokens.length;
  const range = (low: number, high: number) => `${number(low)} to ${number(high)}`;
  return [
    `${model}: ${n} ${parts}`,
    ...(reads === "text" ? [tokens.map(tokenLabel).join(" ")] : []),
    "",
    ...aligned([
      ["output", "shape", "length", `cosine with the same ${parts} shuffled`],
      ...outputs.map(({ output, shape, length, shuffled: { value, low, high } }) => [
        output,
        shape.join(" × "),
        number(length),
        `${number(value)} (${range(low, high)})`,
      ]),
    ]),
    ...(classes.length === 0
      ? []
      : [
          "",
          ...aligned([
            ["class", "p", `${parts} shuffled`],
            ...classes.map(({ class: id, p: { value, controls } }) => [
              `${id}`,
              number(value),
              range(controls[0]!.low!, controls[0]!.high!),
            ]),
          ]),
        ]),
  ];
}

function shuffledTokens({ ids }: Prompt, rng: ReturnType<typeof random>): Tensor<"int32"> {
  return tensor("int32", [1, ids.length], rng.shuffle(ids.slice()));
}

function likeliest(
  own: Tensor<"float32">,
  others: readonly Tensor<"float32">[],
  top: number,
): EncoderReport["classes"] {
  const shares = others.map(({ data }) => softmax(data));
  const p = softmax(own.data);
  return Array.from(p, (value, id) => ({ id, value }))
    .sort((a, b) => b.value - a.value)
    .slice(0, top)
    .map(({ id, value }) => {
      const drawn = shares.map((share) => share[id]!);
      const mean = drawn.reduce((a, b) => a + b) / drawn.length;
      const [low, high] = [Math.min(...drawn), Math.max(...drawn)];
      const control = { kind: "shuffled-input", value: mean, low, high, draws: drawn.length };
      return { class: id, p: { value, controls: [control] } };
    });
}

function softmax(logits: ArrayLike<number>): Float64Array {
  const most = Array.from(logits).reduce((a, b) => Math.max(a, b));
  const grown = Float64Array.from(logits, (x) => Math.exp(x - most));
  const sum = grown.reduce((a, b) => a + b);
  return grown.map((x) => x / sum);
}

function cosine(a: Float32Array, b: Float32Array): number {
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

/** Logits of all tokens are too many for arguments of a call. */
function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
