// Every reader of files that others write: good files to start from, and how one is read to its end.
import { readFileSync } from "node:fs";
import { parseJson } from "../../src/base/json.ts";
import { openSource } from "../../src/formats/cursor.ts";
import { openGguf } from "../../src/formats/gguf/gguf.ts";
import { openLlama2c } from "../../src/formats/llama2c/llama2c.ts";
import { parseLlama2cTokenizer } from "../../src/formats/llama2c/tokenizer.ts";
import { initializer, readModel, writeModel } from "../../src/formats/onnx/model.ts";
import { externalPlace, readTensor } from "../../src/formats/onnx/tensor.ts";
import { openSafetensors, parseIndex } from "../../src/formats/open.ts";
import { encodeSafetensors } from "../../src/formats/safetensors.ts";
import type { TensorFile } from "../../src/formats/tensor-file.ts";
import { openTorch } from "../../src/formats/torch/torch.ts";
import { zipOf } from "../../src/formats/torch/zip.fixture.ts";
import { placeOf, readZipDirectory } from "../../src/formats/torch/zip.ts";
import { familyOf } from "../../src/models/families/index.ts";
import { readOnnx } from "../../src/models/onnx/read.ts";
import { readConfig } from "../../src/models/open.ts";
import { parseConfig } from "../../src/models/parse-config.ts";
import { weightShapes } from "../../src/models/weight-shapes.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { bytesPerElement, f32, sizeOf, tensor } from "../../src/tensor/tensor.ts";
import { trainBpe } from "../../src/text/bpe.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { type Mutate, mutateBytes, mutateJson } from "./mutate.ts";

export interface Reader {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly mutate: Mutate;
  /** A config of a few bytes lists the weights of up to 65,536 experts. */
  readonly baseBytes?: number;
  /** Reads `bytes`, which `store` has as "x" too, as far as a caller would. */
  readonly read: (bytes: Uint8Array, store: Store) => Promise<void> | void;
}

const golden = (name: string): Uint8Array => readFileSync(`test/golden/formats/${name}`);
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** Some tensors, as far as their sizes are honest: no more than a few times the file. */
async function readSome(file: TensorFile, size: number): Promise<void> {
  let read = 0;
  for (const { name, shape, dtype } of file.entries.values()) {
    const bytes = sizeOf(shape) * bytesPerElement[dtype];
    if (bytes > 64 * size + 4096) throw new Error(`${name} is far larger than its file`);
    if (read++ < 6) await file.read(name);
  }
}

const safetensors = encodeSafetensors(
  {
    a: f32([2, 3], [1, 2, 3, 4, 5, 6]),
    half: tensor("float16", [2], Uint16Array.of(1, 2)),
    long: tensor("int64", [1], BigInt64Array.of(7n)),
  },
  { format: "pt" },
);

const onnx = writeModel({
  name: "seed",
  inputs: [{ name: "x", dtype: "float32", shape: [2, 3] }],
  outputs: [{ name: "y", dtype: "float32", shape: [2, 3] }],
  nodes: [
    { op: "Add", inputs: ["x", "w"], outputs: ["h"], attributes: { ints: [1, -2], s: "text" } },
    {
      op: "If",
      inputs: ["c"],
      outputs: ["y"],
      attributes: {
        then_branch: {
          graph: {
            nodes: [{ op: "Relu", inputs: ["h"], outputs: ["t"] }],
            outputs: [{ name: "t", dtype: "float32", shape: [2, 3] }],
          },
        },
      },
    },
  ],
  initializers: [
    initializer("w", f32([2, 3], [1, 2, 3, 4, 5, 6])),
    initializer("c", tensor("bool", [], Uint8Array.of(1))),
  ],
  opsets: { "": 20 },
});

const words = new Map([...["the", " cat", " sat", " on"]].map((word, i) => [word, 9 - i]));
const tokenizerFile = trainBpe(words, { d_vocab: 262, maxTokenLength: 20 });

const config = {
  name: "seed",
  n_layers: 2,
  d_model: 8,
  n_heads: 2,
  n_key_value_heads: 1,
  d_head: 4,
  d_mlp: 16,
  d_vocab: 32,
  n_ctx: 16,
  act_fn: "silu",
  normalization: "RMS",
  positions: "rotary",
  rotary: {
    base: 10000,
    dim: 4,
    scaling: { type: "llama3", factor: 8, low: 1, high: 4, original: 8 },
  },
  biases: { qkv: true },
  window_layers: [true, false],
  experts: { n_experts: 4, k: 2, gating: "softmax", layers: [true, true] },
};

const sizes = {
  hidden_size: 8,
  num_attention_heads: 2,
  num_hidden_layers: 2,
  intermediate_size: 16,
  vocab_size: 32,
  max_position_embeddings: 64,
};
const llama = { ...sizes, num_key_value_heads: 1, rms_norm_eps: 1e-5, rope_theta: 10000 };
const others = [
  { ...sizes, model_type: "bert", type_vocab_size: 2, id2label: { 0: "a", 1: "b" } },
  { ...sizes, model_type: "clip_text_model", eos_token_id: 2, projection_dim: 6 },
  {
    model_type: "vit",
    hidden_size: 8,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    intermediate_size: 16,
    image_size: [8, 12],
    patch_size: 4,
  },
  {
    model_type: "gpt2",
    n_embd: 8,
    n_head: 2,
    n_layer: 2,
    vocab_size: 32,
    n_positions: 16,
    activation_function: "gelu_new",
  },
  {
    ...sizes,
    model_type: "gpt_neox",
    rotary_pct: 0.25,
    rotary_emb_base: 10000,
    hidden_act: "gelu",
    use_parallel_residual: true,
  },
  {
    ...llama,
    model_type: "llama",
    hidden_act: "silu",
    tie_word_embeddings: true,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 16,
    },
  },
  {
    ...llama,
    model_type: "qwen2",
    hidden_act: "silu",
    use_sliding_window: true,
    sliding_window: 16,
    layer_types: ["full_attention", "sliding_attention"],
  },
  {
    ...llama,
    model_type: "gemma2",
    head_dim: 4,
    hidden_activation: "gelu_pytorch_tanh",
    query_pre_attn_scalar: 4,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    sliding_window: 16,
  },
];

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A mutated header before the data of the good file, with its right length. */
function framed(mutate: Mutate): Mutate {
  const data = safetensors.subarray(safetensors.length - 36);
  return (seeds, rng) => {
    const header = mutate(seeds, rng);
    const bytes = Buffer.concat([Buffer.alloc(8), header, data]);
    bytes.writeUInt32LE(header.length, 0);
    return new Uint8Array(bytes);
  };
}

/** The pickle of an archive, and its other entries. */
async function unpacked(name: string) {
  const bytes = golden(name);
  const store = memoryStore();
  await store.put("x", bytes);
  const source = await openSource(store, "x");
  const storages: Record<string, Uint8Array> = {};
  let pickle: Uint8Array = new Uint8Array();
  for (const entry of (await readZipDirectory(source)).values()) {
    const [start, end] = await placeOf(source, entry);
    const part = new Uint8Array(bytes.subarray(start, end));
    if (entry.name.endsWith("data.pkl")) pickle = part;
    else storages[entry.name.replace(/^[^/]*/, "x")] = part;
  }
  return { pickle, storages };
}
const pickles = await Promise.all(
  ["torch-zip.pt", "torch-zip-4.pt", "torch-nested.pt"].map(unpacked),
);

export const readers: readonly Reader[] = [
  {
    name: "safetensors",
    seeds: [safetensors],
    mutate: mutateBytes,
    read: async (bytes, store) => readSome(await openSafetensors(store, "x"), bytes.length),
  },
  {
    name: "header of safetensors",
    seeds: [
      safetensors.subarray(8, 8 + Number(new DataView(safetensors.buffer).getBigUint64(0, true))),
    ],
    mutate: framed(mutateJson),
    read: async (bytes, store) => readSome(await openSafetensors(store, "x"), bytes.length),
  },
  {
    name: "ONNX",
    seeds: [onnx],
    mutate: mutateBytes,
    read: (bytes) => {
      for (const one of readModel(bytes).graph?.initializer ?? [])
        if (externalPlace(one) === undefined) readTensor(one);
    },
  },
  {
    name: "PyTorch, zip",
    seeds: ["zip.pt", "zip-4.pt", "nested.pt", "zip64.pt", "v3.pt"].map((n) =>
      golden(`torch-${n}`),
    ),
    mutate: mutateBytes,
    read: async (bytes, store) => readSome(await openTorch(store, "x"), bytes.length),
  },
  {
    name: "graph of an ONNX file",
    seeds: [onnx],
    mutate: mutateBytes,
    read: async (bytes) => void (await readOnnx(bytes)),
  },
  {
    name: "pickle in a PyTorch file",
    seeds: pickles.map(({ pickle }) => pickle),
    mutate: (seeds, rng) =>
      zipOf({ ...rng.pick(pickles).storages, "x/data.pkl": mutateBytes(seeds, rng) }),
    read: async (bytes, store) => readSome(await openTorch(store, "x"), bytes.length),
  },
  {
    name: "PyTorch, legacy",
    seeds: [golden("torch-legacy.pt")],
    mutate: mutateBytes,
    read: async (bytes, store) => readSome(await openTorch(store, "x"), bytes.length),
  },
  {
    name: "GGUF",
    seeds: [golden("small.gguf")],
    mutate: mutateBytes,
    read: async (bytes, store) =>
      readSome(await openGguf(store, "x", { blocks: "read" }), bytes.length),
  },
  {
    name: "llama2.c",
    seeds: [golden("untied.llama2c.bin")],
    mutate: mutateBytes,
    read: async (bytes, store) => readSome(await openLlama2c(store, "x"), bytes.length),
  },
  {
    name: "tokenizer of llama2.c",
    seeds: [golden("tokenizer.llama2c.bin")],
    mutate: mutateBytes,
    read: (bytes) => void parseLlama2cTokenizer(bytes, "x"),
  },
  {
    name: "tokenizer.json",
    seeds: [json(tokenizerFile)],
    mutate: mutateJson,
    read: (bytes) => {
      const tokenizer = loadTokenizer(Buffer.from(bytes).toString());
      tokenizer.decode(tokenizer.encode("the cat sat 🙂 <|endoftext|>"));
    },
  },
  {
    name: "config.json",
    baseBytes: 64 * 2 ** 20,
    seeds: [json(config)],
    mutate: mutateJson,
    // What the callers do: a text that is not JSON is their own error.
    read: (bytes) => {
      const value = parsed(bytes);
      if (value !== undefined) weightShapes(parseConfig(value, "x"));
    },
  },
  {
    name: "config.json of other families",
    baseBytes: 64 * 2 ** 20,
    seeds: others.map(json),
    mutate: mutateJson,
    read: (bytes) => {
      const value = parsed(bytes);
      if (!isRecord(value)) return;
      weightShapes(readConfig(familyOf(value, "x"), value, "x", "seed"));
    },
  },
  {
    name: "index of shards",
    seeds: [
      json({
        metadata: { total_size: 8 },
        weight_map: {
          a: "model-00001-of-00002.safetensors",
          b: "model-00002-of-00002.safetensors",
        },
      }),
    ],
    mutate: mutateJson,
    read: (bytes) => void parseIndex(bytes, "x"),
  },
];

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}
