// run --strip: how does one number go along the text: a loss, a site's size, one unit, or a direction?
import { z } from "zod";
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { logProbabilities, matchSites, runWithCache } from "../hooks/index.ts";
import { findSite } from "../models/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { number } from "./format.ts";
import type { Screen } from "./ink.ts";
import { clipped, columnsOf, strip, tokenLabel } from "./picture.ts";
import {
  type FigureRecord,
  FigureSchema,
  mark,
  type Prompt,
  promptFor,
  type Reading,
  type Session,
  TokenSchema,
} from "./read-session.ts";
import { readTensorFile } from "./tensor-file.ts";

const LineSchema = z.strictObject({
  /** As it was asked for, at one site: `loss`, `SITE`, `SITE:12`, `SITE:direction.json`. */
  of: z.string(),
  /** One a token; null where there is none. */
  values: z.array(z.number().nullable()),
  /** What `figure` is of the values: their mean, or the largest size of one. */
  statistic: z.enum(["mean", "peak"]),
  figure: FigureSchema,
});
export const StripReportSchema = z.strictObject({
  tokens: z.array(TokenSchema),
  strips: z.array(LineSchema),
});
export type StripReport = z.infer<typeof StripReportSchema>;
type Line = z.infer<typeof LineSchema>;

const draws = 16;
const controlNames: Readonly<Record<string, string>> = {
  "uniform-prediction": "a guess among all tokens",
  "random-tokens": "random tokens",
  "random-units": "16 other units",
  "random-directions": "16 random directions as long",
};

export const stripReading: Reading<StripReport> = {
  name: "strip",
  asked: ({ strip: asked }) => asked !== undefined,
  async read(session) {
    const prompt = promptFor(session, "--strip");
    const strips: Line[] = [];
    for (const asked of session.options.strip!)
      strips.push(
        ...(asked === "loss"
          ? [await lossLine(session, prompt)]
          : await siteLines(session, prompt, asked)),
      );
    return { tokens: [...prompt.pieces], strips };
  },
  lines({ tokens, strips }, screen) {
    const labels = tokens.map(tokenLabel);
    return strips.flatMap(({ of, values, statistic, figure }, i) => {
      const [control] = figure.controls;
      const { kind, value, low, high } = control!;
      const range = low === null ? number(value) : `${number(low)} to ${number(high!)}`;
      const dot = kind === "uniform-prediction" ? "" : `${mark(figure)} `;
      const said = `${statistic} ${number(figure.value)}; ${controlNames[kind]}: ${range}`;
      const name = clipped(`${dot}${of}`, screen.width);
      const fits = columnsOf(name) + 3 + said.length <= screen.width;
      const title = fits ? [`${name}   ${said}`] : [name, `  ${said}`];
      const numbers = values.map((value) => value ?? Number.NaN);
      return [...(i > 0 ? [""] : []), ...title, ...tokenStrip(labels, numbers, screen)];
    });
  },
};

/** Tokens on grounds as strong as their values, and bars below them. */
export function tokenStrip(
  labels: readonly string[],
  values: readonly number[],
  { ink, width }: Screen,
): string[] {
  const top = Math.max(1e-12, ...values.filter(Number.isFinite).map(Math.abs));
  const washed = labels.map((label, i) => ink.wash(label, (values[i] ?? Number.NaN) / top));
  return strip(washed, [{ label: "", values }], width);
}

async function lossLine({ model, backend }: Session, { tokens, ids }: Prompt): Promise<Line> {
  const { d_vocab, encoder, name } = model.config;
  check(encoder === undefined, "model/encoder", "an encoder does not say what comes next", {
    where: name,
    got: "--strip loss",
  });
  const { logits } = await runWithCache(model, backend, tokens, { logits: true });
  const values = Array.from(ids, (id, t) =>
    t === 0 ? null : -logProbabilities(logits!, t - 1, d_vocab)[id]!,
  );
  const known = values.filter((x) => x !== null);
  const guess = { kind: "uniform-prediction", value: Math.log(d_vocab), low: null, high: null };
  const mean = known.reduce((sum, x) => sum + x, 0) / Math.max(1, known.length);
  const figure = { value: mean, controls: [{ ...guess, draws: 0 }] };
  return { of: "loss", values, statistic: "mean", figure };
}

async function siteLines(session: Session, prompt: Prompt, asked: string): Promise<Line[]> {
  const { model, options } = session;
  const colon = asked.indexOf(":");
  const [pattern, what] = colon < 0 ? [asked] : [asked.slice(0, colon), asked.slice(colon + 1)];
  const sites = matchSites(model.config, pattern);
  const direction =
    what === undefined || /^\d+$/.test(what) ? undefined : await readTensorFile(what);
  const rng = random(options.seed).stream("strip");
  const lines: Line[] = [];
  for (const site of sites) {
    const value = await valuesAt(session, prompt.tokens, site);
    const { width } = value;
    const of = what === undefined ? site : `${site}:${what}`;
    if (what === undefined) {
      const own = value.along((row) => Math.hypot(...row));
      const others: number[] = [];
      for (let draw = 0; draw < 4; draw++) {
        const any = Int32Array.from(prompt.ids, () => rng.int(model.config.d_vocab));
        const there = await valuesAt(session, tensor("int32", [1, any.length], any), site);
        others.push(mean(there.along((row) => Math.hypot(...row))));
      }
      const figure = drawn(mean(own), "random-tokens", others);
      lines.push({ of, values: own, statistic: "mean", figure });
    } else if (direction === undefined) {
      const unit = Number(what);
      check(unit < width, "option/unknown", "there is no such unit", {
        where: `--strip ${asked}`,
        got: unit,
        wanted: `0 to ${width - 1}`,
      });
      const own = value.along((row) => row[unit]!);
      const others = Array.from({ length: draws }, () => {
        const other = (unit + 1 + rng.int(Math.max(1, width - 1))) % width;
        return peak(value.along((row) => row[other]!));
      });
      const figure = drawn(peak(own), "random-units", others);
      lines.push({ of, values: own, statistic: "peak", figure });
    } else {
      check(direction.data.length === width, "option/unknown", "the direction has another width", {
        where: `--strip ${asked}`,
        got: direction.data.length,
        wanted: width,
      });
      const size = Math.hypot(...direction.data);
      const dot = (d: ArrayLike<number>) =>
        value.along((row) => row.reduce((sum, x, i) => sum + x * d[i]!, 0));
      const own = dot(direction.data);
      const others = Array.from({ length: draws }, () => {
        const any = Float64Array.from({ length: width }, () => rng.normal());
        const factor = size / Math.hypot(...any);
        return peak(dot(any.map((x) => factor * x)));
      });
      const figure = drawn(peak(own), "random-directions", others);
      lines.push({ of, values: own, statistic: "peak", figure });
    }
  }
  return lines;
}

/** A site's value, one row of numbers a position. */
async function valuesAt(
  { model, backend }: Session,
  tokens: Tensor<"int32">,
  site: string,
): Promise<{ width: number; along: (of: (row: Float32Array) => number) => number[] }> {
  const { axes } = findSite(model.config, site).row;
  check(axes[1] === "pos", "site/axes", `${site} has no value a position`, {
    got: axes.join(" × "),
    wanted: "--attention, for what lies between two positions",
  });
  const { cache } = await runWithCache(model, backend, tokens, { sites: [site] });
  const { data, shape } = cache[site]!;
  const n = shape[1]!;
  const width = data.length / n;
  const along = (of: (row: Float32Array) => number) =>
    Array.from({ length: n }, (_, t) => of(data.subarray(t * width, (t + 1) * width)));
  return { width, along };
}

function drawn(value: number, kind: string, values: readonly number[]): FigureRecord {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[0]!, sorted.at(-1)!];
  return { value, controls: [{ kind, value: mean(sorted), low, high, draws: sorted.length }] };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / values.length;
const peak = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
