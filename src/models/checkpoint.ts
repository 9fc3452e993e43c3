// How a model lies on disk: model.safetensors, config.json, tokenizer.json, and what its hash is.
import { createHash } from "node:crypto";
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { narrowF16, toFloat32 } from "../tensor/half.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import type { Model, ModelConfig } from "./config.ts";
import { parseConfig } from "./parse-config.ts";
import { checkWeights, weightShapes } from "./weight-shapes.ts";

type Weights = Readonly<Record<string, Tensor<"float32">>>;

/** Checks the weights against the config and hashes both. */
export function makeModel(config: ModelConfig, weights: Weights, tokenizer?: Tokenizer): Model {
  checkWeights(config, weights, config.name);
  check(
    tokenizer === undefined || tokenizer.d_vocab <= config.d_vocab,
    "model/tokenizer",
    "the tokenizer has more tokens than the model",
    { where: config.name, got: tokenizer?.d_vocab, wanted: `at most ${config.d_vocab}` },
  );
  return Object.freeze({ config, weights, tokenizer, hash: hashModel(config, weights) });
}

/** SHA-256 over sizes, choices and float32 weights; the name and the storage type do not count. */
export function hashModel(config: ModelConfig, weights: Weights): string {
  const hash = createHash("sha256");
  const { name: _, ...mathematics } = config;
  hash.update(JSON.stringify(Object.entries(mathematics).sort()));
  for (const name of Object.keys(weightShapes(config))) {
    const { data } = weights[name]!;
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

export interface SaveOptions {
  /** Keys begin with this: `organisms/one-layer/`. */
  prefix?: string;
  /** float16 halves the file and rounds the weights; the hash is that of what will be loaded. */
  dtype?: "float32" | "float16";
  /** The content of `tokenizer.json`. */
  tokenizerFile?: object;
}

/** Writes the folder; config.json comes last and marks it complete. */
export async function saveModel(
  store: Store,
  model: Model,
  { prefix = "", dtype = "float32", tokenizerFile }: SaveOptions = {},
): Promise<{ hash: string }> {
  const tensors: Record<string, Tensor> = {};
  const loaded: Record<string, Tensor<"float32">> = {};
  for (const [name, value] of Object.entries(model.weights)) {
    const stored =
      dtype === "float32" ? value : tensor("float16", value.shape, narrowF16(value.data));
    tensors[name] = stored;
    loaded[name] = toFloat32(stored);
  }
  const hash = hashModel(model.config, loaded);
  await writeSafetensors(store, `${prefix}model.safetensors`, tensors, { format: "pt", hash });
  if (tokenizerFile !== undefined) await putJson(store, `${prefix}tokenizer.json`, tokenizerFile);
  await putJson(store, `${prefix}config.json`, { ...model.config, hash });
  return { hash };
}

/** Reads what `saveModel` wrote; half weights are widened exactly. Refuses a wrong hash. */
export async function loadModel(
  store: Store,
  { prefix = "" }: { prefix?: string } = {},
): Promise<Model> {
  const where = `${store.name}/${prefix}`;
  let json: Record<string, unknown>;
  try {
    json = parseJson(await getText(store, `${prefix}config.json`)) as Record<string, unknown>;
  } catch (cause) {
    fail("model/config", "config.json cannot be read", { where, cause });
  }
  const { hash: wanted, ...rest } = json;
  const config = parseConfig(rest, `${where}config.json`);
  const { tensors } = await readSafetensors(store, `${prefix}model.safetensors`);
  const weights = Object.fromEntries(
    Object.entries(tensors).map(([name, value]) => [name, toFloat32(value)]),
  );
  checkWeights(config, weights, `${where}model.safetensors`);
  const tokenizer =
    (await store.size(`${prefix}tokenizer.json`)) === undefined
      ? undefined
      : loadTokenizer(await getText(store, `${prefix}tokenizer.json`));
  const model = makeModel(config, weights, tokenizer);
  check(wanted === undefined || wanted === model.hash, "model/hash", "the weights were changed", {
    where,
    got: model.hash,
    wanted,
  });
  return model;
}
