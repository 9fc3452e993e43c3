// How is a dictionary learned from batches of activations?
import { availableParallelism } from "node:os";
import { check, fail } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Backend } from "../runtime/backend.ts";
import {
  checkSizes,
  type Dictionary,
  type DictionaryMetadata,
  firstNotFinite,
  foldScale,
  makeDictionary,
  transposed,
} from "./dictionary.ts";
import { sampleFacts, unitRows } from "./initial.ts";
import { restride, strideOf } from "./kernels.ts";
import { type StepFigures, trainer } from "./trainer.ts";
import { checkState, type TrainingState } from "./training-state.ts";

export interface TrainOptions {
  d_in: number;
  d_sae: number;
  k: number;
  steps: number;
  /** Rows of every batch. */
  batch: number;
  seed: number;
  lr?: number;
  /** Steps of linear warm-up. */
  warmup?: number;
  /** Over this last share of the steps lr falls linearly towards 0. */
  decay?: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  /** A feature that has not fired for this many tokens is dead: AuxK works on it. */
  deadAfter?: number;
  /** Dead features a token may use. */
  k_aux?: number;
  auxCoefficient?: number;
  /** Rows of a batch that AuxK looks at. */
  auxRows?: number;
  /** Threads of the sparse pass; never shows in the result. */
  workers?: number;
  metricsEvery?: number;
  checkpointEvery?: number;
  /** Continues a saved training: `batches` must begin with batch number `resume.step`. */
  resume?: TrainingState;
  metadata?: DictionaryMetadata;
}

export interface TrainMetrics extends StepFigures {
  step: number;
  tokens: number;
  lr: number;
  tokensPerSecond: number;
}

export interface TrainContext extends Context {
  onMetrics?: (metrics: TrainMetrics) => void;
  /** Called every `checkpointEvery` steps, and before stopping when that was asked for. */
  onCheckpoint?: (state: TrainingState) => void | Promise<void>;
  /** Milliseconds, for tokens/s. */
  now?: () => number;
}

/** Rows that scale, centre and variance are taken from. */
const sampleRows = 8192;

/**
 * TopK with AuxK, unit decoder rows, Adam. `batches` gives at least `steps` arrays [batch, d_in]; the first
 * few also set scale (mean norm √d_in), b_dec (geometric median) and the variance that the loss is measured in.
 * The result has scale 1: its activations are in the units of the inputs.
 * Errors: `dictionary/size`, `dictionary/k`, `train/*`, `run/interrupted`.
 */
export async function trainDictionary(
  batches: AsyncIterable<Float32Array>,
  options: TrainOptions,
  context: TrainContext,
  backend: Backend,
): Promise<Dictionary> {
  checkSizes(options);
  const { d_in, d_sae, k, steps, batch, seed, resume } = options;
  for (const [name, value] of Object.entries({ steps, batch }))
    check(Number.isSafeInteger(value) && value > 0, "train/size", `${name} must be positive`, {
      where: name,
      got: value,
      wanted: "a whole number, 1 or more",
    });
  const settings = settingsOf(options);
  const saved = JSON.stringify(settings);
  const { metricsEvery = 25 } = options;
  const now = context.now ?? (() => performance.now());
  const source = batches[Symbol.asyncIterator]();
  const next = async (step: number): Promise<Float32Array> => {
    const got = await source.next();
    if (got.done)
      fail("train/batches", "the batches ended before the steps did", {
        got: `${step} batches`,
        wanted: `${steps}`,
        hint: "give more text, or fewer steps",
      });
    return got.value;
  };
  const waiting: Float32Array[] = [];
  let step = resume?.step ?? 0;
  try {
    let start = resume;
    if (start) checkState(start, { settings: saved, d_in, d_sae });
    else {
      while (waiting.length < steps && waiting.length * batch < sampleRows) {
        throwIfStopped(context);
        // A producer may reuse its buffer.
        waiting.push((await next(waiting.length)).slice());
      }
      start = freshState(waiting, settings, saved);
    }
    const training = await trainer(
      backend,
      { ...settings, workers: options.workers ?? availableParallelism() },
      start,
    );
    try {
      let since = { time: now(), step };
      while (step < steps) {
        if (context.signal?.aborted) {
          await context.onCheckpoint?.(await training.state());
          throwIfStopped(context);
        }
        const rows = waiting.shift() ?? (await next(step));
        const lr = rateAt(step, settings);
        const detailed = step % metricsEvery === 0 || step === steps - 1;
        const figures = await training.step(rows, lr, { detailed });
        step += 1;
        const tokens = step * batch;
        if (detailed) {
          const time = now();
          const done = (step - since.step) * batch;
          const tokensPerSecond = (1000 * done) / Math.max(time - since.time, 1e-3);
          since = { time, step };
          context.onMetrics?.({ step, tokens, lr, tokensPerSecond, ...figures });
        }
        context.onProgress?.({
          stage: "train",
          done: step,
          total: steps,
          unit: "steps",
          metrics: { loss: figures.loss, L0: figures.L0, dead: figures.dead },
        });
        const due = options.checkpointEvery && step % options.checkpointEvery === 0;
        if (due && step < steps) await context.onCheckpoint?.(await training.state());
      }
      return finished(await training.state(), { d_in, d_sae, k }, { ...options.metadata, seed });
    } finally {
      await training.close();
    }
  } finally {
    await source.return?.();
  }
}

/** What decides the result, with defaults; compared when a saved training continues. */
function settingsOf(options: TrainOptions) {
  const { d_in, d_sae, k, steps, batch, seed } = options;
  return {
    d_in,
    d_sae,
    k,
    steps,
    batch,
    seed,
    lr: options.lr ?? 1e-3,
    warmup: options.warmup ?? Math.min(1000, Math.ceil(steps / 20)),
    decay: options.decay ?? 0.3,
    beta1: options.beta1 ?? 0.9,
    beta2: options.beta2 ?? 0.999,
    // The loss is of order 1, so gradients of rare features are tiny: OpenAI's value, not Adam's.
    eps: options.eps ?? 6.25e-10,
    deadAfter: options.deadAfter ?? Math.max(batch * 8, Math.min(10e6, (steps * batch) / 16)),
    k_aux: options.k_aux ?? Math.ceil(d_in / 2),
    auxCoefficient: options.auxCoefficient ?? 1 / 32,
    auxRows: Math.min(batch, options.auxRows ?? 1024),
  };
}

/** The learning rate of a step, from 0. */
export function rateAt(
  step: number,
  { lr, warmup, decay, steps }: { lr: number; warmup: number; decay: number; steps: number },
): number {
  const up = warmup > 0 ? Math.min(1, (step + 1) / warmup) : 1;
  const down = decay > 0 ? Math.min(1, (steps - step) / (decay * steps)) : 1;
  return lr * up * down;
}

function freshState(
  sample: readonly Float32Array[],
  { d_in, d_sae, batch, seed }: { d_in: number; d_sae: number; batch: number; seed: number },
  settings: string,
): TrainingState {
  const rows = new Float32Array(sample.length * batch * d_in);
  sample.forEach((part, i) => {
    check(part.length === batch * d_in, "train/batch", "a batch has the wrong size", {
      where: `step ${i}`,
      got: `${part.length} numbers`,
      wanted: `${batch} rows of ${d_in}`,
    });
    const bad = firstNotFinite(part);
    check(bad < 0, "train/not-finite", "the inputs hold NaN or infinity", {
      where: `step ${i}, row ${Math.floor(bad / d_in)}, column ${bad % d_in}`,
    });
    rows.set(part, i * batch * d_in);
  });
  const { scale, median, variance } = sampleFacts(rows, d_in);
  const stride = strideOf(d_in);
  const zeros = (n: number) => new Float32Array(n);
  const W_dec = unitRows(random(seed).stream("W_dec"), d_sae, d_in, stride);
  const b_dec = restride(median, d_in, stride);
  const size = d_sae * stride;
  return {
    step: 0,
    tokens: 0,
    scale,
    variance,
    settings,
    weights: { W_enc: W_dec.slice(), W_dec, b_enc: zeros(d_sae), b_dec },
    moments: {
      mW_dec: zeros(size),
      vW_dec: zeros(size),
      mW_enc: zeros(size),
      vW_enc: zeros(size),
      mb_enc: zeros(d_sae),
      vb_enc: zeros(d_sae),
      mb_dec: zeros(stride),
      vb_dec: zeros(stride),
    },
    lastFired: new Float64Array(d_sae),
  };
}

/** The dictionary as a training state has it (from `onCheckpoint`: pages before the end), in the units of the inputs. */
export function finished(
  state: TrainingState,
  { d_in, d_sae, k }: { d_in: number; d_sae: number; k: number },
  metadata: DictionaryMetadata = {},
): Dictionary {
  const stride = strideOf(d_in);
  const { W_enc, W_dec, b_enc, b_dec } = state.weights;
  return foldScale(
    makeDictionary({
      architecture: "topk",
      d_in,
      d_sae,
      k,
      W_enc: transposed(restride(W_enc, stride, d_in), d_sae, d_in),
      b_enc,
      W_dec: restride(W_dec, stride, d_in),
      b_dec: b_dec.slice(0, d_in),
      scale: state.scale,
      metadata: {
        ...metadata,
        steps: state.step,
        tokens: state.tokens,
        training_scale: state.scale,
      },
    }),
  );
}
