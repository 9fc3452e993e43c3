// How a language model is grown from nothing: batches in, checkpoints and a record out.
import { createHash } from "node:crypto";
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { type Random, random } from "../base/random.ts";
import { adamRates } from "../nn/adam.ts";
import { schedule } from "../nn/schedule.ts";
import type { Backend, Executable } from "../runtime/backend.ts";
import type { Store } from "../storage/store.ts";
import { type Tensor, tensor, zeros } from "../tensor/tensor.ts";
import { makeModel } from "./checkpoint.ts";
import type { Model, ModelConfig } from "./config.ts";
import { trainingProgram } from "./grow-program.ts";
import { appendRecord, type Grown, loadGrown, saveGrown, trimRecord } from "./grow-store.ts";
import { type InitOptions, initWeights } from "./init.ts";
import { contextLosses, type ValidationRows } from "./validate.ts";

/** Rows of `n_ctx` tokens, row after row. */
export interface GrowRows {
  readonly n_ctx: number;
  readonly rows: number;
  readonly tokens: Int32Array | Uint16Array;
}

/** Rows without end, or too many for memory. The same row always holds the same tokens. */
export interface GrowStream {
  readonly n_ctx: number;
  /** Names the stream in the checkpoint: another one is refused. */
  readonly id: string;
  /** Rows [row, row + count), `count · n_ctx` tokens; called in order, except after a restart. */
  read(row: number, count: number): Int32Array | Promise<Int32Array>;
}

export interface GrowOptions {
  steps: number;
  /** Rows a step. */
  batch?: number;
  lr?: number;
  warmup?: number;
  decay?: "none" | "linear" | "cosine";
  beta2?: number;
  weightDecay?: number;
  clipNorm?: number;
  seed?: number;
  /** What learned positions begin as. */
  positions?: InitOptions["positions"];
  valRows?: ValidationRows;
  /** Steps between validations; the last step is always validated. */
  validateEvery?: number;
  /** What else is read off the weights while they grow; its numbers go into the record. */
  measure?: (weights: Readonly<Record<string, Tensor<"float32">>>) => Promise<Readings>;
  /** Steps between measurements; the last step is always measured. */
  measureEvery?: number;
  checkpointEvery?: number;
  /** Steps between lines of the record. */
  recordEvery?: number;
  /** Where the record and the checkpoint go. Without it nothing is kept, and nothing resumed. */
  store?: Store;
}

/** Numbers by name, in an order that whoever measures them knows. */
export type Readings = Readonly<Record<string, readonly number[]>>;

/** One line of `growth.jsonl`. */
export interface GrowthLine {
  step: number;
  tokens: number;
  /** Mean cross entropy of the batch in nats, before the step. */
  loss: number;
  lr: number;
  gradNorm: number;
  tokensPerSecond: number;
  /** Nats per token on held-out rows, by context; `all` is the mean over tokens. */
  validation?: Record<string, number>;
  readings?: Readings;
}

/**
 * Next-token training with AdamW, all of a step in one program. Rows in memory come in a seeded
 * order that changes each epoch, a stream in its own: step and seed alone say where in the data we
 * are. Stopped or killed, the same call continues from the last checkpoint with the same bits.
 */
export async function growModel(
  config: ModelConfig,
  data: GrowRows | GrowStream,
  options: GrowOptions,
  context: Context,
  backend: Backend,
): Promise<Model> {
  const { steps, batch = 32, lr = 3e-3, seed = 0, store } = options;
  const { checkpointEvery = 500, validateEvery = 500, recordEvery = 10 } = options;
  const { measureEvery = 100 } = options;
  checkRows(config, data, batch);
  const { warmup = Math.min(200, Math.ceil(steps / 10)), decay = "cosine" } = options;
  const rateAt = schedule({ lr, steps, warmup, decay, floor: 0.05 });
  const adam = { beta1: 0.9, beta2: options.beta2 ?? 0.99, weightDecay: options.weightDecay ?? 0 };
  const { clipNorm = 1 } = options;
  const rng = random(seed);
  // What has to agree for a checkpoint to be continued.
  const recipe = {
    config,
    steps,
    batch,
    lr,
    warmup,
    decay,
    seed,
    adam,
    clipNorm,
    data: identity(data),
    positions: options.positions,
  };

  let state = store && (await loadGrown(store, recipe));
  state ??= freshState(initWeights(config, rng.stream("init"), options));
  if (store) await trimRecord(store, state.step);
  let spare = zerosLike(state);
  const program = trainingProgram(config, {
    batch,
    pos: data.n_ctx,
    clipNorm,
    ...adam,
  });
  const step = await backend.compile(program);
  const read = reader(data, rng, config);
  const perStep = batch * (data.n_ctx - 1);
  let since = { time: performance.now(), step: state.step };

  const keep = async (): Promise<void> => {
    if (store) await saveGrown(store, state!, recipe);
  };

  while (state.step < steps) {
    if (context.signal?.aborted) await keep();
    throwIfStopped(context);
    const at: number = state.step;
    const rate = rateAt(at);
    const feeds = {
      tokens: tensor("int32", [batch, data.n_ctx], await read(at * batch, batch)),
      rates: adamRates(at + 1, rate, adam),
    };
    const { next, loss, gradNorm } = await takeStep(step, state, spare, feeds);
    spare = state;
    state = next;
    const done = state.step;
    context.onProgress?.({
      stage: "grow",
      done: done * perStep,
      total: steps * perStep,
      unit: "tokens",
      metrics: { loss, lr: rate },
    });
    check(Number.isFinite(loss), "grow/diverged", `the loss is ${loss} at step ${done}`, {
      hint: "a lower lr, or a longer warmup",
    });
    const due = (every: number): boolean => done % every === 0 || done === steps;
    const validated = options.valRows !== undefined && due(validateEvery);
    const measured = options.measure !== undefined && due(measureEvery);
    if (due(recordEvery) || validated || measured) {
      const seconds = (performance.now() - since.time) / 1000;
      const line: GrowthLine = {
        step: done,
        tokens: done * perStep,
        loss,
        lr: rate,
        gradNorm,
        tokensPerSecond: Math.round(((done - since.step) * perStep) / seconds),
      };
      if (validated)
        line.validation = await contextLosses(config, state.weights, options.valRows!, backend);
      if (measured) line.readings = await options.measure!(state.weights);
      if (store) await appendRecord(store, line);
      since = { time: performance.now(), step: done };
    }
    if (due(checkpointEvery)) await keep();
  }
  await step.release();
  return makeModel(config, state.weights);
}

function checkRows(config: ModelConfig, data: GrowRows | GrowStream, batch: number): void {
  check(data.n_ctx === config.n_ctx, "grow/rows", "the rows have another length than the context", {
    got: data.n_ctx,
    wanted: config.n_ctx,
  });
  if ("read" in data) return;
  check(data.rows >= batch, "grow/rows", "fewer rows than one batch", {
    got: data.rows,
    wanted: batch,
  });
}

/** What of the data has to agree for a checkpoint to be continued. */
function identity(data: GrowRows | GrowStream): string {
  if ("read" in data) return data.id;
  const { buffer, byteOffset, byteLength } = data.tokens;
  return createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
}

function freshState(weights: Record<string, Tensor<"float32">>): Grown {
  const empty = () =>
    Object.fromEntries(
      Object.entries(weights).map(([name, { shape }]) => [name, zeros("float32", shape)]),
    );
  return { step: 0, weights, m: empty(), v: empty() };
}

function zerosLike(state: Grown): Grown {
  return { ...freshState(state.weights), weights: freshState(state.weights).m };
}

/** Reads one buffer and writes the other, so that nothing is overwritten while it is read. */
async function takeStep(
  step: Executable,
  from: Grown,
  to: Grown,
  feeds: Record<string, Tensor>,
): Promise<{ next: Grown; loss: number; gradNorm: number }> {
  const results = await step.run({ ...feeds, ...named(from, "") }, named(to, "next:"));
  const number = (name: string): number => (results[name]!.data as Float32Array)[0]!;
  return {
    next: { ...to, step: from.step + 1 },
    loss: number("loss"),
    gradNorm: number("gradNorm"),
  };
}

function named({ weights, m, v }: Grown, prefix: string): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const [kind, tensors] of Object.entries({ w: weights, m, v }))
    for (const [name, value] of Object.entries(tensors)) out[`${prefix}${kind}:${name}`] = value;
  return out;
}

/** Position in the endless sequence of rows → their tokens, checked. */
function reader(
  data: GrowRows | GrowStream,
  rng: Random,
  config: ModelConfig,
): (row: number, count: number) => Promise<Int32Array> {
  const read = "read" in data ? data.read.bind(data) : shuffledRows(data, rng);
  return async (row, count) => {
    const tokens = await read(row, count);
    const odd = tokens.find((id) => id < 0 || id >= config.d_vocab);
    check(
      odd === undefined && tokens.length === count * data.n_ctx,
      "grow/rows",
      "the rows do not fit the model",
      {
        where: `row ${row}`,
        got: odd ?? `${tokens.length} tokens`,
        wanted: `${count * data.n_ctx} tokens below ${config.d_vocab}`,
      },
    );
    return tokens;
  };
}

/** Each epoch in its own seeded order. */
function shuffledRows({ rows, n_ctx, tokens }: GrowRows, rng: Random): GrowStream["read"] {
  let current = -1;
  const order = new Uint32Array(rows);
  const rowAt = (position: number): number => {
    const epoch = Math.floor(position / rows);
    if (epoch !== current) {
      for (let i = 0; i < rows; i++) order[i] = i;
      rng.stream(`epoch ${epoch}`).shuffle(order);
      current = epoch;
    }
    return order[position % rows]!;
  };
  return (position, count) => {
    const out = new Int32Array(count * n_ctx);
    for (let i = 0; i < count; i++) {
      const row = rowAt(position + i);
      out.set(tokens.subarray(row * n_ctx, (row + 1) * n_ctx), i * n_ctx);
    }
    return out;
  };
}
