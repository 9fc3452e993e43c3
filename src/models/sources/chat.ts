// Which chat template does a checkpoint carry: beside its config.json, or in its GGUF metadata?
import { parseJson } from "../../base/json.ts";
import { openGguf } from "../../formats/gguf/gguf.ts";
import { getText, type Store } from "../../storage/store.ts";
import { type ChatOptions, chatTemplateOf, type TokenizerConfig } from "../../text/index.ts";
import { findCheckpoint } from "./find.ts";

/** Of what `openModel` opens. Refuses with `text/chat-template` where there is none. */
export async function chatTemplateAt(
  from: string | Store,
  { prefix = "" }: { prefix?: string } = {},
): Promise<Pick<ChatOptions, "template" | "bos_token" | "eos_token">> {
  const place = await findCheckpoint(from, prefix);
  const { store } = place;
  if (place.kind === "gguf") return chatTemplateOf(await ggufConfig(store, place.key!));
  const read = async (name: string): Promise<string | undefined> => {
    const key = `${place.prefix}${name}`;
    return (await store.size(key)) === undefined ? undefined : getText(store, key);
  };
  const config = parseJson((await read("tokenizer_config.json")) ?? "{}") as TokenizerConfig;
  return chatTemplateOf(config, { file: await read("chat_template.jinja") });
}

async function ggufConfig(store: Store, key: string): Promise<TokenizerConfig> {
  const { metadata } = await openGguf(store, key);
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const named = (mark: string): string | undefined => {
    const id = metadata.get(`tokenizer.ggml.${mark}_token_id`);
    return Array.isArray(tokens) ? (tokens[Number(id)] as string | undefined) : undefined;
  };
  return {
    chat_template: metadata.get("tokenizer.chat_template"),
    bos_token: named("bos"),
    eos_token: named("eos"),
  };
}
