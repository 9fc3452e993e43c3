// How a llama2.c checkpoint becomes a model, and which file beside it is its tokenizer.
import { check } from "../../base/errors.ts";
import { type Llama2cConfig, openLlama2c } from "../../formats/llama2c/llama2c.ts";
import { type Llama2cTokenizer, parseLlama2cTokenizer } from "../../formats/llama2c/tokenizer.ts";
import type { Store } from "../../storage/store.ts";
import { scoreTokenizer } from "../../text/score-tokenizer.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { ModelConfig } from "../config.ts";
import { present } from "../families/keys.ts";
import { eachLayer, normViews, separateAttention, turned } from "../families/layout.ts";
import { checkConfig } from "../parse-config.ts";
import { type View, view } from "../views.ts";
import { filesIn } from "./find.ts";
import type { ModelSource } from "./source.ts";

/** What the file does not say is fixed in llama2.c: adjacent pairs turn, base 10,000, eps 1e-5, SwiGLU. */
export async function llama2cSource(
  store: Store,
  key: string,
  { name }: { name: string },
): Promise<ModelSource> {
  const file = await openLlama2c(store, key);
  const config = configOf(file.config, name);
  checkConfig(config, file.where);
  return {
    config,
    file,
    key,
    family: "llama2.c",
    views: () => viewsOf(config),
    tokenizer: () => tokenizerBeside(store, key, config.d_vocab),
  };
}

function configOf(header: Llama2cConfig, name: string): ModelConfig {
  const { dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len, tied } = header;
  const d_head = dim / n_heads;
  return present({
    name,
    family: "llama",
    n_layers,
    d_model: dim,
    n_heads,
    n_key_value_heads: n_kv_heads === n_heads ? undefined : n_kv_heads,
    d_head,
    d_mlp: hidden_dim,
    d_vocab: vocab_size,
    n_ctx: seq_len,
    act_fn: "silu" as const,
    normalization: "RMS" as const,
    positions: "rotary" as const,
    gated: true,
    biases: { qkv: false, o: false, mlp: false, unembed: false },
    eps: 1e-5,
    rotary: { base: 10000, dim: d_head, interleaved: true },
    tied: tied || undefined,
  });
}

function viewsOf(config: ModelConfig): Record<string, View> {
  return {
    "embed.W_E": view("tok_embeddings.weight"),
    "unembed.W_U": view(config.tied ? "tok_embeddings.weight" : "output.weight", turned),
    ...normViews(config, "ln_final", "norm"),
    ...eachLayer(config, "layers", (at, from) => ({
      ...normViews(config, `${at}.ln1`, `${from}.attention_norm`),
      ...separateAttention(config, `${at}.attn`, {
        q: `${from}.attention.wq`,
        k: `${from}.attention.wk`,
        v: `${from}.attention.wv`,
        o: `${from}.attention.wo`,
      }),
      ...normViews(config, `${at}.ln2`, `${from}.ffn_norm`),
      [`${at}.mlp.W_gate`]: view(`${from}.feed_forward.w1.weight`, turned),
      [`${at}.mlp.W_in`]: view(`${from}.feed_forward.w3.weight`, turned),
      [`${at}.mlp.W_out`]: view(`${from}.feed_forward.w2.weight`, turned),
    })),
  };
}

/** The one `.bin` beside it that reads as a tokenizer with as many pieces as the model has tokens. */
async function tokenizerBeside(
  store: Store,
  key: string,
  d_vocab: number,
): Promise<Tokenizer | undefined> {
  const folder = key.slice(0, key.lastIndexOf("/") + 1);
  const fitting: [string, Llama2cTokenizer][] = [];
  const others: string[] = [];
  for (const other of await filesIn(store, folder)) {
    if (other === key || !other.endsWith(".bin")) continue;
    const name = other.slice(folder.length);
    const small = ((await store.size(other)) ?? 0) <= mostBytes(d_vocab);
    const read = small ? readPieces(await store.get(other), other) : undefined;
    if (read?.pieces.length === d_vocab) fitting.push([name, read]);
    else if (/^tok/i.test(name)) others.push(`${name}: ${read?.pieces.length ?? "not its"} pieces`);
  }
  if (fitting.length === 0 && others.length === 0) return undefined;
  check(fitting.length === 1, "model/tokenizer", "no tokenizer beside the model is its own", {
    where: `${store.name}/${folder}`,
    got: [...fitting.map(([name]) => name), ...others].join(", "),
    wanted: `one file with ${d_vocab} pieces`,
    hint: "open the model with a tokenizer of your own, or with none",
  });
  return llama2cTokenizer(fitting[0]![1]);
}

const mostBytes = (d_vocab: number): number => 4 + d_vocab * (8 + 1024);

function readPieces(bytes: Uint8Array, where: string): Llama2cTokenizer | undefined {
  try {
    return parseLlama2cTokenizer(bytes, where);
  } catch {
    // Some other file: weights end in .bin as well.
    return undefined;
  }
}

/** 1 begins a text, 2 ends it, as in llama2.c; pieces have plain spaces. */
export function llama2cTokenizer({ pieces, scores }: Llama2cTokenizer): Tokenizer {
  const decoder = new TextDecoder();
  return scoreTokenizer({ entries: pieces.map((piece) => decoder.decode(piece)), scores });
}
