// What is computed at each step of writing: the whole prompt once, then one token a row with the cache beside it.
import { input, type Program, program, slice, type Value } from "../../graph/index.ts";
import { forward, keyValueHeads, type Model, type ModelConfig } from "../../models/index.ts";
import { tapOf } from "../apply.ts";
import { boundWeights, remembered } from "../memo.ts";
import type { Plan } from "../plan.ts";
import { pastName, presentName } from "./key-values.ts";

export interface StepShape {
  batch: number;
  /** Tokens read in this step, a row. */
  pos: number;
  /** Places in the cache beside them; 0 at the prompt. */
  capacity: number;
  /** Whether keys and values of the new positions are given back. */
  present: boolean;
  /** Whether rows begin with padding, or the cache has empty places. */
  masked: boolean;
  /** Positions read so far in all, where the rotation's scaling depends on it. */
  length?: number;
}

/**
 * tokens int32 [batch, pos], `attention_mask` int32 [batch, capacity + pos] and the cache → `logits`
 * [batch, 1, d_vocab] after the last token, and keys and values of the new positions.
 */
export function stepProgram(model: Model, shape: StepShape, plan: Plan): Program {
  const { config } = model;
  const weights = boundWeights(model);
  return remembered(["generate", weights.key, shape], plan, () => {
    const { batch, pos, capacity, masked, length } = shape;
    const tokens = input("tokens", "int32", [batch, pos]);
    const mask = masked ? input("attention_mask", "int32", [batch, capacity + pos]) : undefined;
    const past = capacity === 0 ? undefined : pastInputs(config, batch, capacity);
    const changes = tapOf(plan, batch);
    // Behind the last block only the last position counts, unless something is changed there.
    const last = plan.steps.every(({ row }) => row.perLayer || row.name.includes("embed"));
    const { logits, present } = forward(config, weights.values, tokens, {
      tap: changes.tap,
      attention_mask: mask,
      past,
      length,
      last,
    });
    changes.check();
    const outputs: Record<string, Value> = {
      logits: last ? logits : slice(logits, { axis: 1, start: pos - 1, end: pos }),
    };
    if (shape.present)
      present.forEach(({ k, v }, layer) => {
        outputs[presentName(layer, "k")] = k;
        outputs[presentName(layer, "v")] = v;
      });
    const inputs = [
      tokens,
      ...(mask === undefined ? [] : [mask]),
      ...(past ?? []).flatMap(({ k, v }) => [k, v]),
      ...weights.inputs,
      ...changes.inputs,
    ];
    return program({ inputs, outputs });
  });
}

function pastInputs(config: ModelConfig, batch: number, capacity: number) {
  const shape = [batch, keyValueHeads(config), capacity, config.d_head];
  return Array.from({ length: config.n_layers }, (_, layer) => ({
    k: input(pastName(layer, "k"), "float32", shape),
    v: input(pastName(layer, "v"), "float32", shape),
  }));
}
