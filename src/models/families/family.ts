// What a family of checkpoints is: how its config is read, and where its weights lie.
import type { ModelConfig } from "../config.ts";
import type { View } from "../views.ts";
import type { Keys } from "./keys.ts";

export interface Family {
  readonly name: string;
  /** `model_type` in config.json. */
  readonly types: readonly string[];
  /** Reads every key that counts; what it leaves unread is refused. */
  readConfig(keys: Keys): ModelConfig;
  /** The config without the heads that this checkpoint lacks; `readConfig` tells of all. */
  fit?(config: ModelConfig, has: (tensor: string) => boolean): ModelConfig;
  /** TransformerLens name → tensor of the checkpoint. `has` knows the checkpoint's names. */
  weights(config: ModelConfig, has: (tensor: string) => boolean): Record<string, View>;
  /** Tensors that older versions wrote and nobody reads: masks, cached angles. */
  readonly ignored?: RegExp;
}
