// What must be kept so that a killed training continues with the same bits?
import { check, fail } from "../base/errors.ts";
import { encodeSafetensors, readSafetensors } from "../formats/safetensors.ts";
import type { Store } from "../storage/store.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { strideOf } from "./kernels.ts";
import type { Moments, StepMemory } from "./step-memory.ts";

export interface TrainingState {
  /** Steps done: the caller's batches go on with this one. */
  step: number;
  tokens: number;
  scale: number;
  variance: number;
  /** Everything that a continuation must agree on, as JSON. */
  settings: string;
  weights: Pick<StepMemory, "W_enc" | "W_dec" | "b_enc" | "b_dec">;
  moments: Moments & { mb_dec: Float32Array; vb_dec: Float32Array };
  /** Tokens seen when each feature last fired. */
  lastFired: Float64Array;
}

/** One safetensors file, written whole or not at all. */
export async function saveTrainingState(
  store: Store,
  key: string,
  state: TrainingState,
): Promise<void> {
  const { step, tokens, scale, variance, settings } = state;
  const tensors: Record<string, Tensor> = {
    lastFired: tensor("float64", [state.lastFired.length], state.lastFired),
  };
  for (const [name, data] of Object.entries({ ...state.weights, ...state.moments }))
    tensors[name] = tensor("float32", [data.length], data);
  const numbers = JSON.stringify({ step, tokens, scale, variance });
  await store.put(key, encodeSafetensors(tensors, { numbers, settings }));
}

/** The state, or undefined when there is none. */
export async function loadTrainingState(
  store: Store,
  key: string,
): Promise<TrainingState | undefined> {
  if ((await store.size(key)) === undefined) return undefined;
  const where = `${store.name}/${key}`;
  const { tensors, metadata } = await readSafetensors(store, key);
  const floats = (name: string): Float32Array => {
    const data = tensors[name]?.data;
    check(data instanceof Float32Array, "train/state", `${name} is missing`, { where });
    return data;
  };
  const numbers = JSON.parse(metadata.numbers ?? "null");
  const lastFired = tensors.lastFired?.data;
  if (!numbers || metadata.settings === undefined || !(lastFired instanceof Float64Array))
    return fail("train/state", "this is not a training state", { where });
  return {
    ...numbers,
    settings: metadata.settings,
    lastFired,
    weights: {
      W_enc: floats("W_enc"),
      W_dec: floats("W_dec"),
      b_enc: floats("b_enc"),
      b_dec: floats("b_dec"),
    },
    moments: {
      mW_dec: floats("mW_dec"),
      vW_dec: floats("vW_dec"),
      mW_enc: floats("mW_enc"),
      vW_enc: floats("vW_enc"),
      mb_enc: floats("mb_enc"),
      vb_enc: floats("vb_enc"),
      mb_dec: floats("mb_dec"),
      vb_dec: floats("vb_dec"),
    },
  };
}

/** Refuses a state of other settings or another size, with both. */
export function checkState(
  state: TrainingState,
  wanted: { settings: string; d_in: number; d_sae: number },
): void {
  check(
    state.settings === wanted.settings,
    "train/settings",
    "the saved training had other settings",
    {
      got: state.settings,
      wanted: wanted.settings,
      hint: "start a new training, or use the saved settings",
    },
  );
  const size = wanted.d_sae * strideOf(wanted.d_in);
  check(
    state.weights.W_enc.length === size && state.lastFired.length === wanted.d_sae,
    "train/state",
    "the saved training has another size",
    { got: state.weights.W_enc.length, wanted: size },
  );
}
