// The tensors of a llama2.c checkpoint (.bin of Karpathy's llama2.c, first layout) by name.
import { check, fail } from "../../base/errors.ts";
import type { Store } from "../../storage/store.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { cursor, openSource } from "../cursor.ts";
import { decodeStored } from "../stored.ts";
import { entryOf, type TensorEntry, type TensorFile } from "../tensor-file.ts";

/** Words of llama2.c. The file does not say: RoPE over adjacent pairs with base 10,000, RMSNorm eps 1e-5, SwiGLU. */
export interface Llama2cConfig {
  readonly dim: number;
  readonly hidden_dim: number;
  readonly n_layers: number;
  readonly n_heads: number;
  readonly n_kv_heads: number;
  readonly vocab_size: number;
  readonly seq_len: number;
  /** The unembedding is the embedding; written as a positive vocab_size. */
  readonly tied: boolean;
}

export interface Llama2cFile extends TensorFile {
  readonly config: Llama2cConfig;
}

const code = "format/llama2c";
const headerBytes = 28;

/**
 * Tensors have Meta's names (`tok_embeddings.weight`, `layers.0.attention.wq.weight` [out, in], …),
 * all float32, all mappable in place. The rotation tables of the file are not listed.
 */
export async function openLlama2c(store: Store, key: string): Promise<Llama2cFile> {
  const source = await openSource(store, key);
  check(source.size >= headerBytes, `${code}-length`, "too short to be a llama2.c file", {
    where: source.where,
    got: `${source.size} bytes`,
  });
  const config = parseHeader(await source.read(0, headerBytes), source.where);
  const entries = new Map<string, TensorEntry>();
  let at = headerBytes;
  // Sizes first, so that a header that lies builds nothing.
  const wanted = headerBytes + 4 * floatsOf(config);
  check(wanted === source.size, `${code}-length`, "the file's length is not what its header says", {
    where: source.where,
    got: `${source.size} bytes`,
    wanted: `${wanted} bytes`,
    hint: "is this a llama2.c file? versions 1 and 2 (ak42) are not read",
  });
  for (const { name, shape, layers } of parts(config)) {
    for (let layer = 0; layer < (layers ?? 1); layer++) {
      const end = at + 4 * sizeOf(shape);
      const full = layers === undefined ? name : `layers.${layer}.${name}`;
      if (!name.startsWith("freq_cis"))
        entries.set(
          full,
          Object.freeze({
            name: full,
            stored: "F32",
            dtype: "float32",
            shape: Object.freeze([...shape]),
            file: key,
            range: Object.freeze([at, end] as const),
          }),
        );
      at = end;
    }
  }
  return Object.freeze({
    format: "llama2c",
    where: source.where,
    files: new Map([[key, source.size]]),
    config,
    entries,
    async read(name: string): Promise<Tensor> {
      const { shape, range } = entryOf(entries, name, source.where);
      return decodeStored("F32", shape, await source.read(...range!));
    },
  });
}

function parseHeader(bytes: Uint8Array, where: string): Llama2cConfig {
  const c = cursor(bytes, { where, code });
  const first = c.u32();
  if (first === 0x616b3432)
    fail(code, "this llama2.c file has the newer layout, which is not read", {
      where,
      got: `version ${c.u32()}`,
      wanted: "the first layout (export.py --version 0)",
    });
  const [dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab, seq_len] = [
    first,
    c.i32(),
    c.i32(),
    c.i32(),
    c.i32(),
    c.i32(),
    c.i32(),
  ];
  const config = {
    dim,
    hidden_dim,
    n_layers,
    n_heads,
    n_kv_heads,
    vocab_size: Math.abs(vocab),
    seq_len,
    tied: vocab > 0,
  };
  for (const [key, value] of Object.entries(config))
    check(value === false || (value as number) > 0, code, "this is no llama2.c file", {
      where: `${where}: ${key}`,
      got: value,
      wanted: "a positive size",
    });
  check(
    dim % n_heads === 0 && (dim / n_heads) % 2 === 0,
    code,
    "the heads do not divide the width",
    {
      where,
      got: `dim ${dim}, n_heads ${n_heads}`,
      wanted: "heads of one even width",
    },
  );
  check(n_heads % n_kv_heads === 0, code, "key-value heads do not divide the heads", {
    where,
    got: `n_heads ${n_heads}, n_kv_heads ${n_kv_heads}`,
  });
  return Object.freeze(config);
}

/** In the order of the file; `layers`: that many of them, one after another. */
function parts(config: Llama2cConfig): { name: string; shape: number[]; layers?: number }[] {
  const { dim, hidden_dim, n_layers: layers, n_heads, n_kv_heads, vocab_size, seq_len } = config;
  const size = dim / n_heads;
  return [
    { name: "tok_embeddings.weight", shape: [vocab_size, dim] },
    { name: "attention_norm.weight", shape: [dim], layers },
    { name: "attention.wq.weight", shape: [dim, dim], layers },
    { name: "attention.wk.weight", shape: [n_kv_heads * size, dim], layers },
    { name: "attention.wv.weight", shape: [n_kv_heads * size, dim], layers },
    { name: "attention.wo.weight", shape: [dim, dim], layers },
    { name: "ffn_norm.weight", shape: [dim], layers },
    { name: "feed_forward.w1.weight", shape: [hidden_dim, dim], layers },
    { name: "feed_forward.w2.weight", shape: [dim, hidden_dim], layers },
    { name: "feed_forward.w3.weight", shape: [hidden_dim, dim], layers },
    { name: "norm.weight", shape: [dim] },
    { name: "freq_cis_real", shape: [seq_len, size / 2] },
    { name: "freq_cis_imag", shape: [seq_len, size / 2] },
    ...(config.tied ? [] : [{ name: "output.weight", shape: [vocab_size, dim] }]),
  ];
}

function floatsOf(config: Llama2cConfig): number {
  return parts(config).reduce((sum, { shape, layers }) => sum + sizeOf(shape) * (layers ?? 1), 0);
}
