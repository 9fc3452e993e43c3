// How is a model opened that others trained: a folder becomes a model whose weights stay in files.
import { basename, join } from "node:path";
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import {
  readSafetensor,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import { getText, type Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import type { TokenizerConfig } from "../text/specials.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { hashModel, loadModel } from "./checkpoint.ts";
import type { Model, ModelConfig } from "./config.ts";
import type { Family } from "./families/family.ts";
import { familyOf } from "./families/index.ts";
import { keysOf } from "./families/keys.ts";
import { checkConfig } from "./parse-config.ts";
import { lazyWeights, type Source, type Stored } from "./stored.ts";
import { shapeAfter, type View } from "./views.ts";
import { weightShapes } from "./weight-shapes.ts";

export interface OpenOptions {
  /** Instead of the folder's own name. */
  name?: string;
  /** Keys begin with this. */
  prefix?: string;
  /** Reads every weight into memory, as is needed where no file can be mapped. */
  inMemory?: boolean;
  /** Instead of tokenizer.json; `null` opens the model without one. */
  tokenizer?: Tokenizer | null;
}

/**
 * A folder with config.json and model.safetensors (or shards with an index): of Hugging Face, or of
 * our own. Errors: `model/family`, `model/config-unknown`, `model/weights`.
 */
export async function openModel(
  from: string | Store,
  { name, prefix = "", inMemory = false, tokenizer }: OpenOptions = {},
): Promise<Model> {
  const store = typeof from === "string" ? folderStore(from) : from;
  const where = `${store.name}/${prefix}config.json`;
  let json: Record<string, unknown>;
  try {
    json = parseJson(await getText(store, `${prefix}config.json`)) as Record<string, unknown>;
  } catch (cause) {
    fail("model/config", "config.json cannot be read", { where, cause });
  }
  check(typeof json === "object" && json !== null, "model/config", "not a model config", { where });
  if (json.model_type === undefined && json.n_layers !== undefined)
    return loadModel(store, { prefix });
  const family = familyOf(json, where);
  const config = readConfig(family, json, where, name ?? basename(prefix || store.name));
  const files = await headersOf(store, prefix);
  const stored = await storedOf({ store, family, config, files, inMemory });
  const own = tokenizer === undefined ? await tokenizerIn(store, prefix) : (tokenizer ?? undefined);
  return fromStored(config, stored, { tokenizer: own });
}

/** A model whose weights are views of stored tensors; the hash is computed when it is asked for. */
export function fromStored(
  config: ModelConfig,
  stored: Stored,
  { tokenizer }: { tokenizer?: Tokenizer } = {},
): Model {
  const weights = lazyWeights(stored);
  let hash: string | undefined;
  const model = { config, weights, stored, tokenizer };
  Object.defineProperty(model, "hash", {
    enumerable: true,
    get: () => {
      hash ??= hashModel(config, weights);
      return hash;
    },
  });
  return Object.freeze(model) as Model;
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

interface Header {
  readonly key: string;
  readonly header: SafetensorsHeader;
}

/** The header of model.safetensors, or of each shard that the index names. */
async function headersOf(store: Store, prefix: string): Promise<Header[]> {
  const index = `${prefix}model.safetensors.index.json`;
  let keys = [`${prefix}model.safetensors`];
  if ((await store.size(keys[0]!)) === undefined) {
    check((await store.size(index)) !== undefined, "model/weights", "there are no weights", {
      where: store.name,
      wanted: `${keys[0]} or ${index}`,
      hint: "other formats are converted first",
    });
    const { weight_map: map } = JSON.parse(await getText(store, index));
    check(typeof map === "object" && map !== null, "model/weights", "the index names no shards", {
      where: `${store.name}/${index}`,
    });
    keys = [...new Set(Object.values(map as Record<string, string>))].map((k) => `${prefix}${k}`);
  }
  return Promise.all(
    keys.map(async (key) => ({ key, header: await readSafetensorsHeader(store, key) })),
  );
}

async function storedOf({
  store,
  family,
  config,
  files,
  inMemory,
}: {
  store: Store;
  family: Family;
  config: ModelConfig;
  files: readonly Header[];
  inMemory: boolean;
}): Promise<Stored> {
  const entries = new Map(
    files.flatMap((file) =>
      [...file.header.entries.values()].map((entry) => [entry.name, { file, entry }] as const),
    ),
  );
  const views = family.weights(config, (tensor) => entries.has(tensor));
  checkViews({ family, config, views, entries, where: store.name });
  const used = new Set(Object.values(views).map(({ tensor }) => tensor));
  const sources: Record<string, Source> = {};
  for (const name of used) {
    const { file, entry } = entries.get(name)!;
    const { shape } = entry;
    if (entry.dtype === "F32" && store.folder !== undefined && !inMemory) {
      const path = join(store.folder, ...file.key.split("/"));
      const length = entry.end - entry.start;
      sources[name] = { kind: "file", shape, file: { path, offset: entry.start, length } };
    } else {
      const tensor = toFloat32(await readSafetensor(store, file.key, file.header, name));
      sources[name] = { kind: "memory", shape, tensor };
    }
  }
  return { sources, views };
}

/** Every weight has its tensor in the shape that the config says, and no tensor is left over. */
function checkViews({
  family,
  config,
  views,
  entries,
  where,
}: {
  family: Family;
  config: ModelConfig;
  views: Readonly<Record<string, View>>;
  entries: ReadonlyMap<string, { entry: SafetensorsEntry }>;
  where: string;
}): void {
  const used = new Set<string>();
  for (const [name, shape] of Object.entries(weightShapes(config))) {
    const seen = views[name];
    check(seen !== undefined, "model/weights", "the family does not say where a weight lies", {
      where: family.name,
      got: name,
    });
    const found = entries.get(seen.tensor)?.entry;
    check(found !== undefined, "model/weights", "the checkpoint lacks a tensor", {
      where,
      wanted: `${seen.tensor}, for ${name}`,
      got: [...entries.keys()].slice(0, 6).join(", "),
    });
    used.add(seen.tensor);
    const got = shapeAfter(found.shape, seen.steps, `${where}: ${seen.tensor}`);
    check(got.join() === shape.join(), "model/weights", `${seen.tensor} has another shape`, {
      where,
      got: `[${found.shape.join(", ")}], which makes ${name} [${got.join(", ")}]`,
      wanted: `[${shape.join(", ")}] by the config`,
    });
  }
  const left = [...entries.keys()].filter(
    (name) => !used.has(name) && !family.ignored?.test(name) && !isTwin(config, name),
  );
  check(
    left.length === 0,
    "model/weights",
    "the checkpoint has tensors that the model has no place for",
    {
      where,
      got: left.slice(0, 6).join(", "),
    },
  );
}

/** A tied unembedding that is written all the same. */
function isTwin({ tied }: ModelConfig, name: string): boolean {
  return tied === true && /(^|\.)(lm_head|embed_out)\.weight$/.test(name);
}

async function tokenizerIn(store: Store, prefix: string): Promise<Tokenizer | undefined> {
  const key = `${prefix}tokenizer.json`;
  if ((await store.size(key)) === undefined) return undefined;
  // Says what stands around a text, where there is such a file.
  const settings = `${prefix}tokenizer_config.json`;
  const config =
    (await store.size(settings)) === undefined
      ? undefined
      : (parseJson(await getText(store, settings)) as TokenizerConfig);
  return loadTokenizer(await getText(store, key), { config });
}
