// What every kind of checkpoint gives: a config, its tensors, and where each weight lies in them.
import type { TensorFile } from "../../formats/tensor-file.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { ModelConfig } from "../config.ts";
import type { Family } from "../families/family.ts";
import { keysOf } from "../families/keys.ts";
import { checkConfig } from "../parse-config.ts";
import type { View } from "../views.ts";

export interface ModelSource {
  readonly config: ModelConfig;
  readonly file: TensorFile;
  /** Of the file in its store. */
  readonly key: string;
  /** For error texts. */
  readonly family: string;
  /** TransformerLens name → tensor of the file. */
  views(has: (tensor: string) => boolean): Readonly<Record<string, View>>;
  /** Tensors that nobody reads. */
  readonly ignored?: RegExp;
  tokenizer(): Promise<Tokenizer | undefined>;
}

/** Reads config.json's content by its family; refuses settings that nobody read. */
export function readConfig(
  family: Family,
  json: Readonly<Record<string, unknown>>,
  where: string,
  name: string,
): ModelConfig {
  const keys = keysOf(json, where);
  keys.only("quantization_config");
  const config = { ...family.readConfig(keys), name };
  keys.finish();
  checkConfig(config, where);
  return config;
}
