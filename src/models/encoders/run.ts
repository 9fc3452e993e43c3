// How is an encoder run: one program for its inputs, the outputs asked for, and any sites.
import { check } from "../../base/errors.ts";
import { input, type Program, program, type Value } from "../../graph/index.ts";
import type { Backend } from "../../runtime/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Tap } from "../blocks/scope.ts";
import type { Model } from "../config.ts";
import { type BoundWeights, bindWeights } from "../parameters.ts";
import { findSite } from "../sites.ts";
import { encode, encoderOf } from "./encode.ts";

export const encoderOutputs = ["hidden", "pooled", "embedding", "logits", "nsp"] as const;
export type EncoderOutput = (typeof encoderOutputs)[number];

/** `tokens` and what belongs to them, or `pixels`: as `encode` takes them. */
export interface EncoderFeeds {
  tokens?: Tensor;
  token_types?: Tensor;
  pixels?: Tensor;
  attention_mask?: Tensor;
  position_ids?: Tensor;
}

export interface EncoderProgramOptions {
  /** The shapes of what is fed. */
  feeds: EncoderFeeds;
  /** Site strings. */
  sites?: readonly string[];
  /** All that the model has, when left out. */
  outputs?: readonly EncoderOutput[];
  /** Sees each site's value and may replace it. */
  tap?: Tap;
}

/** Inputs by the names of the feeds → outputs and sites by their names. */
export function encoderProgram(
  model: Model,
  { feeds, sites = [], outputs: wanted, tap = (_, value) => value }: EncoderProgramOptions,
): { program: Program; bound: BoundWeights } {
  const { config } = model;
  encoderOf(config);
  for (const site of sites) findSite(config, site);
  const bound = bindWeights(model);
  const inputs = Object.fromEntries(
    Object.entries(feeds)
      .filter(([, fed]) => fed !== undefined)
      .map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]),
  ) as Partial<Record<keyof EncoderFeeds, Value>>;
  const outputs: Record<string, Value> = {};
  const { attention_mask, position_ids, ...read } = inputs;
  const encoding = encode(config, bound.values, read, {
    attention_mask,
    position_ids,
    tap: (site, value) => {
      const changed = tap(site, value);
      if (sites.includes(site)) outputs[site] = changed;
      return changed;
    },
  });
  for (const name of wanted ?? encoderOutputs) {
    const value = encoding[name];
    check(value !== undefined || wanted === undefined, "model/output", `there is no ${name}`, {
      where: config.name,
      got: name,
      wanted: encoderOutputs.filter((one) => encoding[one] !== undefined).join(", "),
    });
    if (value !== undefined) outputs[name] = value;
  }
  return {
    program: program({ inputs: [...Object.values(inputs), ...bound.inputs], outputs }),
    bound,
  };
}

/** Runs an encoder once. Errors: `model/encoder`, `model/image`, `model/output`, `site/…`. */
export async function runEncoder(
  model: Model,
  backend: Backend,
  feeds: EncoderFeeds,
  options: Omit<EncoderProgramOptions, "feeds"> = {},
): Promise<{
  outputs: Partial<Record<EncoderOutput, Tensor<"float32">>>;
  cache: Record<string, Tensor<"float32">>;
}> {
  const { program: made, bound } = encoderProgram(model, { feeds, ...options });
  const compiled = await backend.compile(made);
  const fed = Object.fromEntries(Object.entries(feeds).filter(([, one]) => one !== undefined));
  const results = await compiled.run({ ...bound.feeds, ...fed });
  await compiled.release();
  const isOutput = (name: string) => encoderOutputs.includes(name as EncoderOutput);
  const part = (own: boolean) =>
    Object.fromEntries(
      Object.entries(results).filter(([name]) => isOutput(name) === own),
    ) as Record<string, Tensor<"float32">>;
  return { outputs: part(true), cache: part(false) };
}
