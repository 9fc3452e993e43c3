// How does a model write on: prompts in, one token a row at each step, with interventions, a cache and a seed.
import { check } from "../../base/errors.ts";
import { type Context, throwIfStopped } from "../../base/progress.ts";
import { random } from "../../base/random.ts";
import { keyValueHeads, type Model, type ModelConfig } from "../../models/index.ts";
import type { Backend, Executable } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { feedsOf } from "../apply.ts";
import type { Intervention } from "../interventions.ts";
import { boundWeights } from "../memo.ts";
import type { Handed, Plan } from "../plan.ts";
import { checkTokens } from "../rows.ts";
import { type KeyValueCache, keyValueCache } from "./key-values.ts";
import { type StepShape, stepProgram } from "./programs.ts";
import {
  checkSampling,
  chooseToken,
  logprobsOf,
  type SamplingOptions,
  type TokenLogprob,
} from "./sampling.ts";
import { type During, promptPlan, tokenPlan, wholePlan } from "./schedule.ts";
import { type Finish, stopper } from "./stop.ts";

export interface GenerateOptions extends SamplingOptions, Handed {
  max_new_tokens?: number;
  /** Rows draw from streams of their own: a row's text does not depend on the others. */
  seed?: number;
  /** A row ends with one of these. */
  stopTokens?: readonly number[];
  /** A row ends when its new text holds one of these. Needs the model's tokenizer. */
  stop?: readonly string[];
  interventions?: readonly Intervention[];
  /** Whether they act on the prompt, on new tokens, or on both. */
  during?: During;
  /** How many of the likeliest tokens to give with each one. */
  logprobs?: number;
  /** Without the cache everything is read anew at each step: slow, and the same. */
  cache?: boolean;
}

export interface GeneratedToken extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
  /** Why the row ends here. */
  readonly finish?: Finish;
}

export interface GeneratedStep {
  /** Counted from the first token of the longest prompt. */
  readonly position: number;
  /** One a row; null where the row has ended before. */
  readonly rows: readonly (GeneratedToken | null)[];
  /** After the last token read: [batch, d_vocab], valid until the next step. */
  readonly logits: Float32Array;
}

/**
 * One step a new token; ends when every row has ended. `temperature` 0 (the default) is greedy.
 * Errors: `generate/prompt`, `generate/length`, `generate/sampling`, `generate/stop`, and those of interventions.
 */
export async function* generate(
  model: Model,
  backend: Backend,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions = {},
  context: Context = {},
): AsyncGenerator<GeneratedStep> {
  const { config } = model;
  const { max_new_tokens = 64, seed = 0, logprobs = 0 } = options;
  checkSampling(options);
  const start = promptRows(config, prompts, max_new_tokens);
  const batch = prompts.length;
  const reader = (options.cache ?? true) ? cachedReader : wholeReader;
  const read = reader(model, backend, start, options);
  const rngs = prompts.map((_, row) => random(seed).stream(`row ${row}`));
  const stops = prompts.map(() => stopper(model.tokenizer, options));
  const ended = new Array<boolean>(batch).fill(false);
  let next = start.tokens;
  for (let step = 0; step < max_new_tokens; step++) {
    throwIfStopped(context);
    const logits = await read(next);
    const rows = prompts.map((_, row): GeneratedToken | null => {
      if (ended[row]) return null;
      const own = logits.subarray(row * config.d_vocab, (row + 1) * config.d_vocab);
      const token = chooseToken(own, options, rngs[row]!);
      const { chosen, top } = logprobsOf(own, token, logprobs);
      const finish = stops[row]!(token) ?? (step + 1 === max_new_tokens ? "length" : undefined);
      ended[row] = finish !== undefined;
      return { ...chosen, top, finish };
    });
    // An ended row reads on with its last token: nothing of it is looked at.
    const ids = rows.map((row, i) => row?.token ?? next.data[next.data.length - batch + i]!);
    next = tensor("int32", [batch, 1], Int32Array.from(ids));
    yield { position: start.pos + step, rows, logits };
    context.onProgress?.({
      stage: "generate",
      done: step + 1,
      total: max_new_tokens,
      unit: "tokens",
    });
    if (ended.every(Boolean)) return;
  }
}

interface Start {
  /** Padded on the left: int32 [batch, pos]. */
  tokens: Tensor<"int32">;
  pos: number;
  padding: number[];
  /** Places that prompt and new tokens need. */
  places: number;
}

function promptRows(
  config: ModelConfig,
  prompts: readonly ArrayLike<number>[],
  max_new_tokens: number,
): Start {
  check(
    prompts.length > 0 && prompts.every(({ length }) => length > 0),
    "generate/prompt",
    "a prompt needs at least one token",
    { got: prompts.map(({ length }) => length).join(", ") || "no prompts" },
  );
  check(
    Number.isSafeInteger(max_new_tokens) && max_new_tokens > 0,
    "generate/length",
    "how many tokens to write is not a number of tokens",
    { got: max_new_tokens, wanted: "1 or more" },
  );
  const pos = Math.max(...prompts.map(({ length }) => length));
  const places = pos + max_new_tokens - 1;
  check(places <= config.n_ctx, "generate/length", "the text does not fit the model's context", {
    where: config.name,
    got: `${pos} tokens and ${max_new_tokens} new ones`,
    wanted: `n_ctx ${config.n_ctx}`,
    hint: "shorten the prompt, or write fewer tokens",
  });
  const padding = prompts.map(({ length }) => pos - length);
  const data = new Int32Array(prompts.length * pos);
  prompts.forEach((prompt, row) => {
    data.set(prompt, row * pos + padding[row]!);
  });
  const tokens = tensor("int32", [prompts.length, pos], data);
  checkTokens(config, tokens);
  return { tokens, pos, padding, places };
}

/** Reads the tokens that are new to it, and gives the logits after the last: [batch, d_vocab]. */
type Reader = (tokens: Tensor<"int32">) => Promise<Float32Array>;

function cachedReader(
  model: Model,
  backend: Backend,
  { tokens: { shape }, pos, padding, places }: Start,
  options: GenerateOptions,
): Reader {
  const { config } = model;
  const { interventions: list = [], during = "both" } = options;
  const batch = shape[0]!;
  const run = runner(model, backend);
  let cache: KeyValueCache | undefined;
  return async (tokens) => {
    if (cache === undefined) {
      const plan = promptPlan(config, list, tokens, during, options);
      const masked = padding.some((n) => n > 0);
      const step = { batch, pos, capacity: 0, present: places > pos, masked };
      const feeds: Record<string, Tensor> = masked ? paddingMask(padding, pos) : {};
      const results = await run({ ...step, length: lengthFor(config, pos) }, plan, tokens, feeds);
      const capacity = roundUp(places, 64);
      const heads = keyValueHeads(config);
      const { n_layers, d_head } = config;
      cache = keyValueCache({ n_layers, batch, heads, d_head, capacity }, padding);
      if (step.present) cache.append(results, pos);
      return results.logits!.data as Float32Array;
    }
    const position = cache.length;
    const plan = tokenPlan(config, list, tokens, position, during, options);
    const length = lengthFor(config, position + 1);
    const step = { batch, pos: 1, capacity: cache.capacity, present: true, masked: true, length };
    const feeds = { ...cache.feeds, attention_mask: cache.mask(1) };
    const results = await run(step, plan, tokens, feeds);
    cache.append(results, 1);
    return results.logits!.data as Float32Array;
  };
}

function wholeReader(
  model: Model,
  backend: Backend,
  { tokens: { shape }, pos: prompt, padding }: Start,
  options: GenerateOptions,
): Reader {
  const { config } = model;
  const { interventions: list = [], during = "both" } = options;
  const batch = shape[0]!;
  const run = runner(model, backend);
  let all: Tensor<"int32"> | undefined;
  return async (tokens) => {
    all = all === undefined ? tokens : appended(all, tokens);
    const pos = all.shape[1]!;
    const plan = wholePlan(config, list, all, prompt, during, options);
    const masked = padding.some((n) => n > 0);
    const feeds: Record<string, Tensor> = masked ? paddingMask(padding, pos) : {};
    const length = lengthFor(config, pos);
    const step = { batch, pos, capacity: 0, present: false, masked, length };
    return (await run(step, plan, all, feeds)).logits!.data as Float32Array;
  };
}

function runner(model: Model, backend: Backend) {
  const { feeds: weights } = boundWeights(model);
  return async (
    step: StepShape,
    plan: Plan,
    tokens: Tensor<"int32">,
    feeds: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>> => {
    const program = stepProgram(model, step, plan);
    // Packed weights pay where few rows are read again and again.
    const compiled: Executable = await backend.compile(program, { prepack: step.capacity > 0 });
    try {
      const numbers = feedsOf(plan, 0, step.batch);
      return await compiled.run({ ...weights, ...numbers, ...feeds, tokens });
    } finally {
      await compiled.release();
    }
  };
}

/** Scalings that stretch with the text need its length; all others share one program. */
function lengthFor({ rotary }: ModelConfig, total: number): number | undefined {
  const scaling = rotary?.scaling;
  if (scaling?.type !== "dynamic" && scaling?.type !== "longrope") return undefined;
  return Math.max(total, scaling.original);
}

function paddingMask(padding: readonly number[], pos: number): { attention_mask: Tensor } {
  const data = new Int32Array(padding.length * pos).fill(1);
  padding.forEach((n, row) => {
    data.fill(0, row * pos, row * pos + n);
  });
  return { attention_mask: tensor("int32", [padding.length, pos], data) };
}

function appended(all: Tensor<"int32">, more: Tensor<"int32">): Tensor<"int32"> {
  const [batch, pos] = all.shape as [number, number];
  const data = new Int32Array(batch * (pos + 1));
  for (let row = 0; row < batch; row++) {
    data.set(all.data.subarray(row * pos, (row + 1) * pos), row * (pos + 1));
    data[row * (pos + 1) + pos] = more.data[row]!;
  }
  return tensor("int32", [batch, pos + 1], data);
}

const roundUp = (n: number, by: number): number => Math.ceil(n / by) * by;
