// Which head speaks to which, directly: what changes when only the path between two is taken from another prompt?
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { type Cache, type Intervention, patch, runWithCache } from "../hooks/index.ts";
import { keyValueHeads } from "../models/config.ts";
import { type Model, site, siteShape } from "../models/index.ts";
import { type Backend, rowsPerRun } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { logitDifferences } from "./answers.ts";
import type { Figure, Head } from "./figure.ts";
import {
  type ControlOptions,
  type Direction,
  effectFigure,
  type PromptPairs,
  settingOf,
} from "./pairs.ts";
import { overwrite, repeated, repeatedAnswers } from "./patching.ts";

export interface Receiver extends Head {
  /** Of `k` and `v`, `head` is the key head. */
  readonly input: "q" | "k" | "v";
}

export interface PathOptions extends ControlOptions {
  direction: Direction;
  /** `logits`, or inputs of heads, which all receive together. */
  to: "logits" | readonly Receiver[];
  /** Heads that send, one at a time; by default all in layers before the last that receives. */
  from?: readonly Head[];
  /** Whether MLPs on the way answer to the sender, or are held as they were. */
  mlps?: "recompute" | "freeze";
  /** Bytes of patched values at once. */
  limit?: number;
}

export interface PathCell extends Head {
  /** How far the answer went, 0 to 1 as in `patchingSweep`; beside unrelated prompts' values. */
  readonly effect: Figure;
  /** logit(right) − logit(wrong), one a pair. */
  readonly differences: Float64Array;
}

/**
 * Path patching (Wang et al. 2022; Goldowsky-Dill et al. 2023). One run with the sender's z from the
 * source prompt, every other head's z held at the base prompt's: what reaches the receivers' inputs.
 * A second run of the base prompt with only those inputs changed: what that does to the answer. To
 * the logits, the first run is all.
 */
export async function pathPatching(
  model: Model,
  backend: Backend,
  pairs: PromptPairs,
  { direction, to, from, mlps = "recompute", limit = 64 * 2 ** 20, ...control }: PathOptions,
  context: Context = {},
): Promise<PathCell[]> {
  const { config } = model;
  const { n_layers, n_heads } = config;
  const last = to === "logits" ? n_layers : Math.max(...to.map(({ layer }) => layer));
  const senders = from ?? heads(last, n_heads);
  check(
    senders.length > 0 && senders.every((s) => s.layer < last && s.head >= 0 && s.head < n_heads),
    "circuits/path",
    "a sender has no path to what receives",
    { got: senders, wanted: `heads in layers before ${last}` },
  );
  const receiving = to === "logits" ? [] : to;
  for (const one of receiving) {
    const most = one.input === "q" ? n_heads : keyValueHeads(config);
    check(one.head >= 0 && one.head < most, "circuits/path", "there is no such head to receive", {
      got: one,
      wanted: `${one.input} of heads 0 to ${most - 1}`,
    });
  }
  const inputs = [...new Set(receiving.map(({ layer, input }) => site(input, layer)))];
  const held = Array.from({ length: n_layers }, (_, layer) => site("z", layer));
  const frozen =
    mlps === "freeze" && !config.attn_only
      ? Array.from({ length: n_layers }, (_, layer) => site("mlp_out", layer))
      : [];
  const setting = await settingOf(model, backend, pairs, direction, control);
  const [rows, pos] = pairs.clean.shape as [number, number];
  const read = async (tokens: Tensor<"int32">, sites: readonly string[]) =>
    (await runWithCache(model, backend, tokens, { sites })).cache;
  const base = await read(setting.base, [...held, ...frozen, ...inputs]);
  const sources: Cache[] = [];
  for (const tokens of [setting.source, ...setting.unrelated])
    sources.push(await read(tokens, held));

  const jobs = senders.flatMap((sender) => sources.map((source) => ({ sender, source })));
  const bytes = [...held, ...frozen].reduce((sum, wire) => sum + 4 * base[wire]!.data.length, 0);
  const atOnce = rowsPerRun(jobs.length, { bytesPerRow: bytes, limit });
  const runs: Float64Array[] = [];
  for (let start = 0; start < jobs.length; start += atOnce) {
    throwIfStopped(context);
    const some = jobs.slice(start, start + atOnce);
    const n = some.length;
    const tokens = repeated(setting.base, n);
    const answers = repeatedAnswers(setting.answers, n);
    const value = (
      wire: string,
      change: (part: Float32Array, job: number, shape: readonly number[]) => void,
    ): Intervention => {
      const shape = siteShape(config, wire, { batch: rows, pos });
      const { data } = base[wire]!;
      const all = new Float32Array(n * data.length);
      for (let job = 0; job < n; job++) {
        const part = all.subarray(job * data.length, (job + 1) * data.length);
        part.set(data);
        change(part, job, shape);
      }
      return patch(wire, tensor("float32", [n * rows, ...shape.slice(1)], all));
    };
    const first = [
      ...held.map((wire, layer) =>
        value(wire, (part, job, shape) => {
          const { sender, source } = some[job]!;
          if (sender.layer === layer)
            overwrite(part, source[wire]!.data, shape, { 2: sender.head });
        }),
      ),
      ...frozen.map((wire) => value(wire, () => undefined)),
    ];
    let interventions: readonly Intervention[] = first;
    if (to !== "logits") {
      const options = { sites: inputs, interventions: first };
      const { cache } = await runWithCache(model, backend, tokens, options);
      interventions = inputs.map((wire) =>
        value(wire, (part, job, shape) => {
          const arrived = cache[wire]!.data.subarray(job * part.length, (job + 1) * part.length);
          for (const { layer, head, input } of receiving)
            if (site(input, layer) === wire) overwrite(part, arrived, shape, { 2: head });
        }),
      );
    }
    const found = await logitDifferences(model, backend, tokens, answers, { interventions });
    for (let job = 0; job < n; job++) runs.push(found.slice(job * rows, (job + 1) * rows));
    context.onProgress?.({ stage: "paths", done: start + n, total: jobs.length, unit: "paths" });
  }
  return senders.map(({ layer, head }, i) => {
    const own = runs.slice(i * sources.length, (i + 1) * sources.length);
    return { layer, head, effect: effectFigure(setting, own), differences: own[0]! };
  });
}

function heads(layers: number, n_heads: number): Head[] {
  return Array.from({ length: layers * n_heads }, (_, i) => ({
    layer: Math.floor(i / n_heads),
    head: i % n_heads,
  }));
}
