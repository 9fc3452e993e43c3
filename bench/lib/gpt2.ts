// A model of GPT-2 small's shape with random weights, as a Hugging Face folder that every tool can open.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "../../src/base/random.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { folderStore } from "../../src/storage/index.ts";
import { sizeOf, type Tensor, tensor } from "../../src/tensor/index.ts";

export const shape = { n_layers: 12, d_model: 768, n_heads: 12, n_ctx: 1024, d_vocab: 50_257 };

/** The folder, made once (0.5 GB) and kept among the temporary files. */
export async function gpt2Folder(): Promise<string> {
  const folder = process.env.GPT2_FOLDER ?? join(tmpdir(), "micrographia-gpt2-random");
  if (existsSync(join(folder, "config.json"))) return folder;
  await mkdir(folder, { recursive: true });
  const rng = random(0).stream("gpt2");
  // A tape of normals, read at odd steps: a hundred million fresh ones would take longer than the bench.
  const tape = Float32Array.from({ length: 1_000_003 }, () => 0.02 * rng.normal());
  let at = 0;
  const drawn = (...sizes: number[]): Tensor => {
    const data = new Float32Array(sizeOf(sizes));
    for (let i = 0; i < data.length; i++) {
      at = (at + 7) % tape.length;
      data[i] = tape[at]!;
    }
    return tensor("float32", sizes, data);
  };
  const filled = (x: number, ...sizes: number[]): Tensor =>
    tensor("float32", sizes, new Float32Array(sizeOf(sizes)).fill(x));
  const { n_layers, d_model: d, n_ctx, d_vocab } = shape;
  const norm = (name: string) => ({
    [`${name}.weight`]: filled(1, d),
    [`${name}.bias`]: filled(0, d),
  });
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.weight`]: drawn(from, to),
    [`${name}.bias`]: filled(0, to),
  });
  const tensors: Record<string, Tensor> = {
    "transformer.wte.weight": drawn(d_vocab, d),
    "transformer.wpe.weight": drawn(n_ctx, d),
    ...norm("transformer.ln_f"),
  };
  for (let layer = 0; layer < n_layers; layer++) {
    const block = `transformer.h.${layer}`;
    Object.assign(
      tensors,
      norm(`${block}.ln_1`),
      linear(`${block}.attn.c_attn`, d, 3 * d),
      linear(`${block}.attn.c_proj`, d, d),
      norm(`${block}.ln_2`),
      linear(`${block}.mlp.c_fc`, d, 4 * d),
      linear(`${block}.mlp.c_proj`, 4 * d, d),
    );
  }
  await writeSafetensors(folderStore(folder), "model.safetensors", tensors, { format: "pt" });
  const config = {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
    n_ctx,
    n_embd: d,
    n_head: shape.n_heads,
    n_layer: n_layers,
    n_positions: n_ctx,
    vocab_size: d_vocab,
    tie_word_embeddings: true,
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config, null, 2));
  return folder;
}

/** The fastest of `laps` runs after one to warm up, in seconds: other work on the machine only slows. */
export async function fastest(laps: number, work: () => Promise<unknown>): Promise<number> {
  await work();
  let best = Number.POSITIVE_INFINITY;
  for (let lap = 0; lap < laps; lap++) {
    const began = performance.now();
    await work();
    best = Math.min(best, (performance.now() - began) / 1000);
  }
  return best;
}
