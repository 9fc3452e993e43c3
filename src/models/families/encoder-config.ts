// What encoders' configs have in common, and which heads a checkpoint has.
import { check } from "../../base/errors.ts";
import { type Encoder, type ImageInput, type ModelConfig, patches } from "../config.ts";
import type { View } from "../views.ts";
import { weightShapes } from "../weight-shapes.ts";
import { type Keys, present } from "./keys.ts";

/** Sizes by the names that BERT, ViT and CLIP share; `or` where a config may leave them out. */
export function encoderSizes(
  keys: Keys,
  or: Partial<Record<"width" | "neurons" | "layers" | "heads", number>> = {},
) {
  const d_model = keys.size("hidden_size", or.width);
  const n_heads = keys.size("num_attention_heads", or.heads);
  return {
    name: "",
    n_layers: keys.size("num_hidden_layers", or.layers),
    d_model,
    n_heads,
    d_head: d_model / n_heads,
    d_mlp: keys.size("intermediate_size", or.neurons),
    normalization: "LN" as const,
    positions: "learned" as const,
  };
}

/** Square where one number is given. */
export function imageOf(
  keys: Keys,
  { bias, patch = 16 }: { bias: boolean; patch?: number },
): { image: ImageInput; n_ctx: number } {
  const pair = (name: string, or: number): readonly [number, number] => {
    if (!Array.isArray(keys.get(name))) {
      const side = keys.size(name, or);
      return [side, side];
    }
    const sides = keys.list(name) as readonly number[];
    const holds = sides.length === 2 && sides.every((n) => Number.isSafeInteger(n) && n > 0);
    check(holds, "model/config", `${name} is not what it should be`, {
      where: keys.where,
      got: sides,
      wanted: "a positive integer, or height and width",
    });
    return [sides[0]!, sides[1]!];
  };
  const image = {
    size: pair("image_size", 224),
    patch: pair("patch_size", patch),
    channels: keys.size("num_channels", 3),
    bias,
  };
  return { image, n_ctx: patches(image) + 1 };
}

/** Classes by their names, or their number; 2 where a config names none, as Hugging Face has it. */
export function classesOf(keys: Keys): number {
  const named = keys.record("id2label");
  return named === undefined ? keys.size("num_labels", 2) : Object.keys(named).length;
}

/** The config without the heads whose tensor the checkpoint lacks. */
export function withHeads(
  config: ModelConfig,
  has: (tensor: string) => boolean,
  tensors: Partial<Record<keyof Encoder, readonly string[]>>,
): ModelConfig {
  const gone = Object.entries(tensors)
    .filter(([, names]) => !names.some(has))
    .map(([key]) => [key, undefined]);
  const encoder = present({ ...config.encoder!, ...Object.fromEntries(gone) });
  return { ...config, encoder };
}

/** Without the views of heads that the model lacks. */
export function ofConfig(
  config: ModelConfig,
  views: Readonly<Record<string, View>>,
): Record<string, View> {
  const shapes = weightShapes(config);
  return Object.fromEntries(Object.entries(views).filter(([name]) => Object.hasOwn(shapes, name)));
}
