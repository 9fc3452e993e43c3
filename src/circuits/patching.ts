// Which values carry the answer: what happens to it when one at a time is taken from another prompt?
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { type Cache, patch, runWithCache } from "../hooks/index.ts";
import { findSite, type Model, site as siteOf, siteShape, siteWidth } from "../models/index.ts";
import { type Backend, rowsPerRun } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type Answers, logitDifferences } from "./answers.ts";
import type { Figure } from "./figure.ts";
import {
  type ControlOptions,
  type Direction,
  effectFigure,
  type PromptPairs,
  settingOf,
} from "./pairs.ts";

export interface SweepOptions extends ControlOptions {
  /** A short name of a site with a value a position: `resid_pre`, `z`, `mlp_out`, `attn_out`, … */
  site: string;
  direction: Direction;
  /** What is patched one at a time beside layers; what is not named is patched whole. */
  by?: readonly ("position" | "head")[];
  layers?: readonly number[];
  positions?: readonly number[];
  /** Bytes of patched values at once. */
  limit?: number;
}

export interface SweepCell {
  readonly layer: number;
  readonly position?: number;
  readonly head?: number;
  /**
   * How far the answer went from that of the prompt that runs (0) to that of the prompt that the value
   * comes from (1), over all pairs; beside the same place's value from unrelated prompts.
   */
  readonly effect: Figure;
  /** logit(right) − logit(wrong) with the patch, one a pair. */
  readonly differences: Float64Array;
}

export interface Sweep {
  readonly site: string;
  readonly direction: Direction;
  /** logit(right) − logit(wrong) without patches, one a pair. */
  readonly clean: Float64Array;
  readonly corrupted: Float64Array;
  readonly cells: readonly SweepCell[];
}

/**
 * Activation patching (Meng et al. 2022; Heimersheim & Nanda 2024), all cells of a layer as rows of
 * one program. Errors: `site/…`, `circuits/pairs`, `circuits/answers`, `circuits/sweep`.
 */
export async function patchingSweep(
  model: Model,
  backend: Backend,
  pairs: PromptPairs,
  { site, direction, by = [], layers, positions, limit = 64 * 2 ** 20, ...control }: SweepOptions,
  context: Context = {},
): Promise<Sweep> {
  const { config } = model;
  const setting = await settingOf(model, backend, pairs, direction, control);
  const [rows, pos] = pairs.clean.shape as [number, number];
  const every = layers ?? Array.from({ length: config.n_layers }, (_, layer) => layer);
  const wires = every.map((layer) => siteOf(site, layer));
  check(wires.length > 0, "circuits/sweep", "a sweep needs a layer", { got: layers });
  for (const wire of wires) siteWidth(config, wire);
  const axes = findSite(config, wires[0]!).row.axes;
  const headAxis = axes.findIndex((axis) => axis === "head" || axis === "key_head");
  check(!by.includes("head") || headAxis > 0, "circuits/sweep", `${site} has no heads`, {
    got: axes.join(", "),
    wanted: "z, q, k, v or result",
  });
  const odd = positions?.find((at) => !Number.isInteger(at) || at < 0 || at >= pos);
  check(odd === undefined, "circuits/sweep", "there is no such position", {
    got: odd,
    wanted: `0 to ${pos - 1}`,
  });
  const shape = siteShape(config, wires[0]!, { batch: rows, pos });
  const places = (by.includes("position") ? (positions ?? counted(pos)) : [undefined]).flatMap(
    (position) =>
      (by.includes("head") ? counted(shape[headAxis]!) : [undefined]).map((head) => ({
        position,
        head,
      })),
  );
  const read = async (tokens: Tensor<"int32">) =>
    (await runWithCache(model, backend, tokens, { sites: wires })).cache;
  const base = await read(setting.base);
  const sources: Cache[] = [];
  for (const tokens of [setting.source, ...setting.unrelated]) sources.push(await read(tokens));

  const cells: SweepCell[] = [];
  const size = siteWidth(config, wires[0]!) * pos * rows;
  const jobs = places.flatMap((place) => sources.map((source) => ({ place, source })));
  const atOnce = rowsPerRun(jobs.length, { bytesPerRow: 4 * size, limit });
  for (const [i, wire] of wires.entries()) {
    const runs: Float64Array[] = [];
    for (let from = 0; from < jobs.length; from += atOnce) {
      throwIfStopped(context);
      const some = jobs.slice(from, from + atOnce);
      const value = new Float32Array(some.length * size);
      for (const [j, { place, source }] of some.entries()) {
        const part = value.subarray(j * size, (j + 1) * size);
        part.set(base[wire]!.data);
        overwrite(part, source[wire]!.data, shape, { 1: place.position, [headAxis]: place.head });
      }
      const patched = await logitDifferences(
        model,
        backend,
        repeated(setting.base, some.length),
        repeatedAnswers(setting.answers, some.length),
        {
          interventions: [
            patch(wire, tensor("float32", [some.length * rows, ...shape.slice(1)], value)),
          ],
        },
      );
      for (let j = 0; j < some.length; j++) runs.push(patched.slice(j * rows, (j + 1) * rows));
    }
    for (const [p, { position, head }] of places.entries()) {
      const own = runs.slice(p * sources.length, (p + 1) * sources.length);
      cells.push({
        layer: every[i]!,
        ...(position !== undefined && { position }),
        ...(head !== undefined && { head }),
        effect: effectFigure(setting, own),
        differences: own[0]!,
      });
    }
    context.onProgress?.({ stage: "patching", done: i + 1, total: wires.length, unit: "layers" });
  }
  return { site, direction, clean: setting.clean, corrupted: setting.corrupted, cells };
}

/** Where every named axis has the named index, `to` becomes `from`; axes without one are whole. */
export function overwrite(
  to: Float32Array,
  from: Float32Array,
  shape: readonly number[],
  at: Readonly<Record<number, number | undefined>>,
): void {
  const fixed = Object.entries(at)
    .filter(([axis, index]) => Number(axis) >= 0 && index !== undefined)
    .map(([axis, index]) => ({
      stride: shape.slice(Number(axis) + 1).reduce((n, m) => n * m, 1),
      length: shape[Number(axis)]!,
      index: index!,
    }));
  const step = fixed.reduce((least, { stride }) => Math.min(least, stride), to.length);
  for (let i = 0; i < to.length; i += step)
    if (fixed.every(({ stride, length, index }) => Math.floor(i / stride) % length === index))
      to.set(from.subarray(i, i + step), i);
}

/** The same rows `times` times. */
export function repeated(tokens: Tensor<"int32">, times: number): Tensor<"int32"> {
  const [rows, pos] = tokens.shape as [number, number];
  const data = new Int32Array(times * rows * pos);
  for (let i = 0; i < times; i++) data.set(tokens.data, i * rows * pos);
  return tensor("int32", [times * rows, pos], data);
}

export function repeatedAnswers({ right, wrong, at }: Answers, times: number): Answers {
  const again = (list: ArrayLike<number>): number[] =>
    Array.from({ length: times * list.length }, (_, i) => list[i % list.length]!);
  return { right: again(right), wrong: wrong && again(wrong), at: at && again(at) };
}

function counted(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
