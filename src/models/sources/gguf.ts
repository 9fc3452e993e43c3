// How a GGUF file becomes a model: its metadata in the words of a config.json, its tensors' names.
import { check, fail } from "../../base/errors.ts";
import { type GgufFile, openGguf } from "../../formats/gguf/gguf.ts";
import type { Store } from "../../storage/store.ts";
import { familyOf } from "../families/index.ts";
import { ggufLayouts } from "./gguf-architectures.ts";
import { type GgufLayout, ggufConfig, ggufViews } from "./gguf-layout.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";
import { type ModelSource, readConfig } from "./source.ts";

type Json = Record<string, unknown>;

/** Errors: `model/family`, `model/config`, `model/config-unknown`, and those of the tokenizer. */
export async function ggufSource(
  store: Store,
  key: string,
  { name, blocks }: { name: string; blocks?: "refuse" | "read" },
): Promise<ModelSource> {
  const file = await openGguf(store, key, { blocks });
  const layout = layoutOf(file);
  const json = await configJson(file, layout);
  const family = familyOf(json, file.where);
  const config = ggufConfig(layout, readConfig(family, json, file.where, name));
  return {
    config,
    file,
    key,
    family: family.name,
    views: (has) => ggufViews(family, layout, config, has),
    ignored: /^rope_(freqs|factors_long|factors_short)\.weight$/,
    tokenizer: async () =>
      ggufTokenizer(file.metadata, { where: file.where, gpt2: layout.gpt2 === true }),
  };
}

function layoutOf({ metadata, where }: GgufFile): GgufLayout {
  const name = metadata.get("general.architecture");
  if (typeof name === "string" && Object.hasOwn(ggufLayouts, name)) return ggufLayouts[name]!;
  return fail("model/family", "this architecture is not one that is read from GGUF", {
    where,
    got: name,
    wanted: Object.keys(ggufLayouts).join(", "),
  });
}

/** Refuses settings of the architecture that are not read here: they could change the mathematics. */
async function configJson(file: GgufFile, layout: GgufLayout): Promise<Json> {
  const { metadata, entries, where } = file;
  const architecture = metadata.get("general.architecture") as string;
  const seen = new Set<string>();
  const get = (key: string): unknown => {
    seen.add(`${architecture}.${key}`);
    return metadata.get(`${architecture}.${key}`);
  };
  const number = (key: string): number | undefined => {
    const got = get(key);
    if (got === undefined || typeof got === "number") return got;
    return fail("model/config", `${architecture}.${key} is not a number`, { where, got });
  };
  const json: Json = { model_type: layout.type, ...layout.config };
  for (const [ours, theirs] of Object.entries(layout.keys)) {
    const value = number(ours);
    check(
      value !== undefined || layout.optional.includes(ours),
      "model/config",
      "a size is missing",
      {
        where,
        wanted: `${architecture}.${ours}`,
      },
    );
    if (value !== undefined) json[theirs] = shortest(value);
  }
  const [d_vocab, d_model] = entries.get("token_embd.weight")?.shape ?? [];
  const told = number("vocab_size");
  check(told === undefined || told === d_vocab, "model/weights", "the embedding has another size", {
    where: `${where}: token_embd.weight`,
    got: `[${d_vocab}, ${d_model}]`,
    wanted: `${told} rows by ${architecture}.vocab_size`,
  });
  json.vocab_size = d_vocab;
  json.tie_word_embeddings = !entries.has("output.weight");
  if (layout.gpt2 !== true) {
    const n_heads = Number(metadata.get(`${architecture}.attention.head_count`));
    const n_layers = Number(metadata.get(`${architecture}.block_count`));
    const d_head = headSize(file, layout, { number, whole: (d_model ?? 0) / n_heads });
    if (layout.headDim === true) json.head_dim = d_head;
    const turning = number("rope.dimension_count") ?? d_head;
    // Half more than whole, so that it stays what it was when it is multiplied and cut.
    json.partial_rotary_factor = turning === d_head ? 1 : (turning + 0.5) / d_head;
    for (const [key, tensor] of Object.entries(layout.biases ?? {}))
      json[key] = entries.has(tensor);
    json.rope_scaling = await scalingOf(file, number, get);
    const has = (tensor: string): boolean => entries.has(tensor);
    const told = { get, number, has, n_layers, n_heads, d_model: d_model ?? 0, d_head };
    Object.assign(json, layout.more?.(told));
  }
  for (const key of layout.ignored) seen.add(`${architecture}.${key}`);
  const odd = [...metadata].filter(
    ([key, value]) => key.startsWith(`${architecture}.`) && !seen.has(key) && !isNothing(value),
  );
  check(odd.length === 0, "model/config-unknown", "settings that could change the mathematics", {
    where,
    got: odd.map(([key]) => key).join(", "),
    wanted: "keys that this architecture is known to have",
  });
  return json;
}

function headSize(
  { metadata, where }: GgufFile,
  { headDim }: GgufLayout,
  { number, whole }: { number: (key: string) => number | undefined; whole: number },
): number {
  const d_head = number("attention.key_length") ?? whole;
  const values = number("attention.value_length") ?? d_head;
  const wanted = headDim === true ? d_head : whole;
  check(
    values === wanted && d_head === wanted,
    "model/config-unsupported",
    "heads have another width",
    {
      where,
      got: `keys ${d_head}, values ${values}`,
      wanted: `${wanted} for ${metadata.get("general.architecture")}`,
    },
  );
  return d_head;
}

function isNothing(value: unknown): boolean {
  return value === 0 || value === false || value === "none" || value === "";
}

/** A float32 that stands for 1e-5 reads 9.99999974e-6: the number that a config.json would have. */
function shortest(value: number): number {
  if (Number.isInteger(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

async function scalingOf(
  { metadata, entries, read, where }: GgufFile,
  number: (key: string) => number | undefined,
  get: (key: string) => unknown,
): Promise<Json | null> {
  const architecture = metadata.get("general.architecture");
  const factor = number("rope.scaling.factor") ?? number("rope.scale_linear");
  const original = number("rope.scaling.original_context_length");
  get("rope.scaling.finetuned");
  const gain = number("rope.scaling.attn_factor");
  const type = get("rope.scaling.type") ?? (factor === undefined ? "none" : "linear");
  const divisors = async (tensor: string): Promise<number[]> =>
    Array.from((await read(tensor)).data as Float32Array);
  const [short, long] = ["rope_factors_short.weight", "rope_factors_long.weight"] as const;
  if (entries.has(short) && entries.has(long))
    return {
      rope_type: "longrope",
      short_factor: await divisors(short),
      long_factor: await divisors(long),
      attention_factor: gain ?? 1,
      original_max_position_embeddings: original,
    };
  check(gain === undefined || gain === 1, "model/config-unknown", "a gain of attention alone", {
    where,
    got: gain,
    wanted: "1, or factors of frequencies beside it",
  });
  if (entries.has("rope_freqs.weight")) {
    // Llama 3.1: one divisor a frequency, worked out when the file was written.
    const factors = await divisors("rope_freqs.weight");
    return {
      rope_type: "longrope",
      short_factor: factors,
      long_factor: factors,
      attention_factor: 1,
      original_max_position_embeddings: metadata.get(`${architecture}.context_length`),
    };
  }
  if (type === "none") return null;
  return {
    rope_type: type,
    ...(factor === undefined ? {} : { factor }),
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  };
}
