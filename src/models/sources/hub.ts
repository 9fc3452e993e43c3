// How a folder of Hugging Face becomes a model: config.json, weights under several names, tokenizer.json.
import { parseJson } from "../../base/json.ts";
import { openTensors } from "../../formats/open.ts";
import { getText, type Store } from "../../storage/store.ts";
import type { TokenizerConfig } from "../../text/specials.ts";
import { loadTokenizer, type Tokenizer } from "../../text/tokenizer.ts";
import type { Tower } from "../families/clip.ts";
import { familyOf } from "../families/index.ts";
import type { Place } from "./find.ts";
import { weightsBeside } from "./find.ts";
import { withSentence } from "./sentence.ts";
import { type ModelSource, readConfig } from "./source.ts";

export async function hubSource(
  { store, prefix, key: asked }: Place,
  json: Readonly<Record<string, unknown>>,
  { name, tower }: { name: string; tower?: Tower },
): Promise<ModelSource> {
  const where = `${store.name}/${prefix}config.json`;
  const family = familyOf(json, where, tower);
  const read = readConfig(family, json, where, name);
  const key = asked ?? (await weightsBeside(store, prefix));
  const file = await openTensors(store, key);
  const fitted = family.fit?.(read, (tensor) => file.entries.has(tensor)) ?? read;
  const config = await withSentence(fitted, store, prefix);
  return {
    config,
    file,
    key,
    family: family.name,
    views: (has) => family.weights(config, has),
    ignored: family.ignored,
    tokenizer: () => tokenizerIn(store, prefix),
  };
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
