// Which format is this file, and what tensors does it hold? One file, or the index of several.
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { Store } from "../storage/store.ts";
import { openSource } from "./cursor.ts";
import { type GgufOptions, openGguf } from "./gguf/gguf.ts";
import { openLlama2c } from "./llama2c/llama2c.ts";
import { readSafetensor, readSafetensorsHeader } from "./safetensors.ts";
import { isPlain, storedTypes } from "./stored.ts";
import { entryOf, type TensorEntry, type TensorFile } from "./tensor-file.ts";
import { openTorch } from "./torch/torch.ts";

/**
 * By what the file begins with, not by its name: safetensors, PyTorch (zip, legacy), GGUF, llama2.c.
 * A key that ends in `.index.json` is the index of a sharded checkpoint beside it.
 */
export async function openTensors(
  store: Store,
  key: string,
  options: GgufOptions = {},
): Promise<TensorFile> {
  if (key.endsWith(".index.json")) return openSharded(store, key);
  const source = await openSource(store, key);
  const first = await source.read(0, Math.min(9, source.size));
  const text = String.fromCharCode(...first);
  // The header of a safetensors file is a JSON object, and less than 2^32 bytes long. It comes first: a length can begin
  // as a pickle does.
  if (text[8] === "{" && text.slice(4, 8) === "\0\0\0\0") return openSafetensors(store, key);
  if (text.startsWith("PK") || text.startsWith("\x80")) return openTorch(store, key);
  if (text.startsWith("GGUF")) return openGguf(store, key, options);
  if (key.endsWith(".safetensors")) return openSafetensors(store, key);
  if (key.endsWith(".bin")) return openLlama2c(store, key);
  return fail("format/unknown", "this is no file of tensors that we know", {
    where: source.where,
    got: [...first].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
    wanted: "safetensors, PyTorch (.pt, .bin), GGUF, or llama2.c (.bin)",
  });
}

export async function openSafetensors(store: Store, key: string): Promise<TensorFile> {
  const header = await readSafetensorsHeader(store, key);
  const entries = new Map<string, TensorEntry>();
  let size = 0;
  for (const { name, dtype: stored, shape, start, end } of header.entries.values()) {
    entries.set(
      name,
      Object.freeze({
        name,
        stored,
        dtype: storedTypes[stored]!.as,
        shape,
        file: key,
        ...(isPlain(stored) && { range: Object.freeze([start, end] as const) }),
      }),
    );
    size = Math.max(size, end);
  }
  const where = `${store.name}/${key}`;
  return Object.freeze({
    format: "safetensors",
    where,
    files: new Map([[key, (await store.size(key)) ?? size]]),
    entries,
    async read(name: string) {
      entryOf(entries, name, where);
      return readSafetensor(store, key, header, name);
    },
  });
}

/** `model.safetensors.index.json` or `pytorch_model.bin.index.json`: tensor → file beside it. */
export async function openSharded(store: Store, key: string): Promise<TensorFile> {
  const where = `${store.name}/${key}`;
  const map = parseIndex(await store.get(key), where);
  const folder = key.slice(0, key.lastIndexOf("/") + 1);
  const shards = new Map<string, TensorFile>();
  for (const name of new Set(map.values()))
    shards.set(name, await openTensors(store, `${folder}${name}`));
  const entries = new Map<string, TensorEntry>();
  for (const [name, shard] of map) {
    const entry = shards.get(shard)!.entries.get(name);
    if (entry === undefined)
      return fail("format/index", "a shard lacks a tensor that the index promises", {
        where,
        got: shard,
        wanted: name,
      });
    entries.set(name, entry);
  }
  return Object.freeze({
    format: "sharded",
    where,
    files: new Map([...shards.values()].flatMap(({ files }) => [...files])),
    entries,
    async read(name: string) {
      entryOf(entries, name, where);
      return shards.get(map.get(name)!)!.read(name);
    },
  });
}

/** Tensor name → file name. */
export function parseIndex(bytes: Uint8Array, where: string): Map<string, string> {
  let json: unknown;
  try {
    json = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    fail("format/index", "the index of the shards is not JSON", { where, cause });
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  check(
    typeof map === "object" && map !== null && !Array.isArray(map),
    "format/index",
    "the index has no weight_map",
    { where },
  );
  for (const [name, file] of Object.entries(map))
    check(
      typeof file === "string" && /^[^/\\]+$/.test(file) && !file.endsWith(".index.json"),
      "format/index",
      "a shard lies beside its index",
      { where: `${where}: ${name}`, got: file, wanted: "a file name" },
    );
  return new Map(Object.entries(map as Record<string, string>));
}
