// How is a model opened that others trained: a folder or a file becomes a model whose weights stay there.
import { stat } from "node:fs/promises";
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { Context } from "../base/progress.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { getText, type Store } from "../storage/store.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { fewBits, storedBlocks } from "./block-error.ts";
import { hashModel, loadModel } from "./checkpoint.ts";
import type { Model, ModelConfig } from "./config.ts";
import type { Tower } from "./families/clip.ts";
import { resolveModel } from "./resolve.ts";
import { findCheckpoint, type Place } from "./sources/find.ts";
import { ggufSource } from "./sources/gguf.ts";
import { hubSource } from "./sources/hub.ts";
import { llama2cSource } from "./sources/llama2c.ts";
import { mapped, sourceOf } from "./sources/mapped.ts";
import type { ModelSource } from "./sources/source.ts";
import { lazyWeights, type Source, type Stored } from "./stored.ts";
import { shapeAfter, type View } from "./views.ts";
import { weightShapes } from "./weight-shapes.ts";

export { readConfig } from "./sources/source.ts";

export interface OpenOptions extends Context {
  /** Instead of the folder's own name. */
  name?: string;
  /** Keys begin with this. */
  prefix?: string;
  /** Reads every weight into memory, as is needed where no file can be mapped. */
  inMemory?: boolean;
  /** Instead of the checkpoint's own; `null` opens the model without one. */
  tokenizer?: Tokenizer | null;
  /**
   * Halves and 8-bit blocks become float32 once, in this folder (`micrographia` in the user's
   * cache); `false` widens them in memory, each time.
   */
  cache?: string | false;
  /** Blocks of fewer than 8 bits are other weights: they are refused unless they are asked for. */
  blocks?: "refuse" | "read";
  /**
   * With `blocks: "read"`: where the trained weights lie, in any format. How far the blocks are from
   * them is measured, and stands in the provenance of whatever is made of the model.
   */
  trained?: string;
  /** Which encoder of a checkpoint that holds two: CLIP. */
  tower?: Tower;
}

/**
 * By path: a folder with config.json and weights (safetensors or PyTorch, in one file or in shards), of
 * Hugging Face or of our own; one of those files; a GGUF file; a llama2.c `.bin`. By
 * name: a bundled organism, or a hub id that `pullModel` has fetched (`org/name@revision`). float32 stays
 * where it lies; the size of what is widened is told first, as the total of `onProgress`.
 * Errors: `model/missing`, `model/family`, `model/config`, `model/config-unknown`, `model/weights`, and those of the
 * formats.
 */
export async function openModel(
  from: string | Store,
  {
    prefix = "",
    name,
    inMemory = false,
    tokenizer,
    cache,
    blocks,
    trained,
    tower,
    ...context
  }: OpenOptions = {},
): Promise<Model> {
  const found: { from: string | Store; name?: string } =
    typeof from === "string" ? await placeOf(from) : { from };
  const place = await findCheckpoint(found.from, prefix);
  const json = place.kind === "config" ? await configJson(place) : {};
  if (place.kind === "config" && json.model_type === undefined && json.n_layers !== undefined)
    return loadModel(place.store, { prefix: place.prefix });
  const source = await sourceAt(place, json, {
    name: name ?? found.name ?? place.name,
    blocks,
    tower,
  });
  const { store } = place;
  const given = { file: source.file, store };
  const views = source.views((tensor) => source.file.entries.has(tensor));
  checkViews(source, views, source.file.entries);
  const from32 = await mapped(given, source.key, { cache, inMemory, blocks, ...context });
  const sources: Record<string, Source> = {};
  for (const used of new Set(Object.values(views).map(({ tensor }) => tensor)))
    sources[used] = await sourceOf(from32, from32.file.entries.get(used)!, inMemory);
  const own = tokenizer === undefined ? await source.tokenizer() : (tokenizer ?? undefined);
  const stored = { sources, views };
  const few = fewBits(source.file);
  if (few === undefined) return fromStored(source.config, stored, { tokenizer: own });
  const plain = fromStored(source.config, stored);
  const reference =
    trained === undefined
      ? undefined
      : await openModel(trained, { cache, tower, tokenizer: null, ...context });
  const told = storedBlocks(plain, views, few, { ...context, reference });
  return fromStored(source.config, stored, { tokenizer: own, blocks: told });
}

/** A path where there is something; else what the name leads to. */
async function placeOf(reference: string): Promise<{ from: string; name?: string }> {
  const there = await stat(reference).then(
    () => true,
    () => false,
  );
  if (there) return { from: reference };
  const { file, folder, name } = await resolveModel(reference);
  return { from: file ?? folder, name };
}

async function configJson({ store, prefix }: Place): Promise<Record<string, unknown>> {
  const where = `${store.name}/${prefix}config.json`;
  let json: unknown;
  try {
    json = parseJson(await getText(store, `${prefix}config.json`));
  } catch (cause) {
    fail("model/config", "config.json cannot be read", { where, cause });
  }
  check(typeof json === "object" && json !== null, "model/config", "not a model config", { where });
  return json as Record<string, unknown>;
}

async function sourceAt(
  place: Place,
  json: Readonly<Record<string, unknown>>,
  { name, blocks, tower }: { name: string; blocks?: "refuse" | "read"; tower?: Tower },
): Promise<ModelSource> {
  const { kind, store, key } = place;
  if (kind === "gguf") return ggufSource(store, key!, { name, blocks });
  if (kind === "llama2c") return llama2cSource(store, key!, { name });
  return hubSource(place, json, { name, tower });
}

/** A model whose weights are views of stored tensors; the hash is computed when it is asked for. */
export function fromStored(
  config: ModelConfig,
  stored: Stored,
  { tokenizer, blocks }: Pick<Model, "tokenizer" | "blocks"> = {},
): Model {
  const weights = lazyWeights(stored);
  let hash: string | undefined;
  const model = { config, weights, stored, tokenizer, ...(blocks === undefined ? {} : { blocks }) };
  Object.defineProperty(model, "hash", {
    enumerable: true,
    get: () => {
      hash ??= hashModel(config, weights);
      return hash;
    },
  });
  return Object.freeze(model) as Model;
}

/** Every weight has its tensor in the shape that the config says, and no tensor is left over. */
function checkViews(
  { config, family, ignored, file: { where } }: ModelSource,
  views: Readonly<Record<string, View>>,
  entries: TensorFile["entries"],
): void {
  const used = new Set<string>();
  for (const [name, shape] of Object.entries(weightShapes(config))) {
    const seen = views[name];
    check(seen !== undefined, "model/weights", "the family does not say where a weight lies", {
      where: family,
      got: name,
    });
    const found = entries.get(seen.tensor);
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
    (name) => !used.has(name) && !ignored?.test(name) && !isTwin(config, name),
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
  return tied === true && /(^|\.)(lm_head|embed_out|output)\.weight$/.test(name);
}
