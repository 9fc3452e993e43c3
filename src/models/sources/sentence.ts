// Does a folder say how sentences become one vector? As sentence-transformers write it: modules.json.
import { check, fail } from "../../base/errors.ts";
import { parseJson } from "../../base/json.ts";
import { getText, type Store } from "../../storage/store.ts";
import type { ModelConfig, SentenceEmbedding } from "../config.ts";

type Json = Readonly<Record<string, unknown>>;

/** The config with what modules.json tells, if there is one and the model is an encoder. */
export async function withSentence(
  config: ModelConfig,
  store: Store,
  prefix: string,
): Promise<ModelConfig> {
  const key = `${prefix}modules.json`;
  if (config.encoder === undefined || (await store.size(key)) === undefined) return config;
  const where = `${store.name}/${key}`;
  const modules = await jsonAt(store, key);
  const read = Array.isArray(modules) ? modules.map(recordOf) : [];
  const kinds = read.map(({ type }) => String(type).split(".").at(-1));
  const normalize = kinds[2] === "Normalize";
  check(
    kinds[0] === "Transformer" && kinds[1] === "Pooling" && kinds.length === (normalize ? 3 : 2),
    "model/config-unsupported",
    "sentences become vectors in a way we lack",
    { where, got: kinds.join(", "), wanted: "Transformer, Pooling, and perhaps Normalize" },
  );
  const pool = await poolingOf(store, `${prefix}${read[1]!.path}/config.json`);
  return { ...config, encoder: { ...config.encoder, sentence: { pool, normalize } } };
}

/** The one mode that is on: over tokens, or the first. */
async function poolingOf(store: Store, key: string): Promise<SentenceEmbedding["pool"]> {
  const json = recordOf(await jsonAt(store, key));
  const on = Object.keys(json).filter((name) => /^pooling_mode_/.test(name) && json[name] === true);
  const known = { pooling_mode_mean_tokens: "mean", pooling_mode_cls_token: "first" } as const;
  const mode = on[0] as keyof typeof known;
  check(
    on.length === 1 && Object.hasOwn(known, mode),
    "model/config-unsupported",
    "positions are pooled in a way we lack",
    { where: `${store.name}/${key}`, got: on.join(", "), wanted: Object.keys(known).join(" or ") },
  );
  return known[mode];
}

async function jsonAt(store: Store, key: string): Promise<unknown> {
  try {
    return parseJson(await getText(store, key));
  } catch (cause) {
    return fail("model/config", "it cannot be read", { where: `${store.name}/${key}`, cause });
  }
}

function recordOf(json: unknown): Json {
  return typeof json === "object" && json !== null ? (json as Json) : {};
}
