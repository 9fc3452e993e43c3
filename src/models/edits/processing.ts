// Which changes of coordinates leave a model's predictions alone, when, and what they do to the weights.
// As TransformerLens' `process_weights`: fold_ln, center_writing_weights, center_unembed, fold_value_biases.
import { check } from "../../base/errors.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { type Biases, hasExperts, keyValueHeads, type ModelConfig } from "../config.ts";
import type { Draft } from "./draft.ts";
import type { Processing } from "./edit.ts";

type Kind = Processing["kind"];

const passes: Record<Kind, (draft: Draft) => Promise<void>> = {
  foldNorms,
  centreWritingWeights,
  centreUnembed,
  foldValueBiases,
};

const decoders = "an encoder is read by heads of its own, and not by an unembedding alone";

/** Why a model with this config cannot be processed so; undefined where it can. */
const reasons: Record<Kind, (config: ModelConfig) => string | undefined> = {
  foldNorms: (config) => {
    if (config.encoder !== undefined) return decoders;
    if (config.normalization === "none") return "this model has no norms";
    if (config.norm_placement === "post")
      return "its norms come after the sublayers: nothing linear reads them";
    return undefined;
  },
  centreWritingWeights: (config) => {
    if (config.encoder !== undefined) return decoders;
    if (config.normalization === "RMS")
      return "an RMS norm does not take the mean away, so the mean of the stream counts";
    if (config.normalization === "none") return "nothing takes the mean of the stream away";
    if ((config.norm_placement ?? "pre") !== "pre")
      return "its norms write to the stream themselves, after the sublayers";
    if (config.final_norm === false) return "the logits read the stream without a norm";
    return undefined;
  },
  centreUnembed: (config) => {
    if (config.encoder !== undefined) return decoders;
    return config.logits_softcap === undefined
      ? undefined
      : "its logits are capped: shifting them changes the probabilities";
  },
  foldValueBiases: (config) => {
    if (config.attn_sinks) return "its patterns do not sum to one: a part goes to the sinks";
    if (config.biases?.qkv === false) return "its values have no biases";
    if (config.biases?.o === false) return "attention has no output bias to fold them into";
    return undefined;
  },
};

/** Errors: `edit/precondition`, with the reason. */
export async function applyProcessing(draft: Draft, { kind }: Processing): Promise<void> {
  const reason = reasons[kind](draft.config);
  check(reason === undefined, "edit/precondition", `${kind} would change predictions: ${reason}`, {
    where: draft.config.name,
    got: kind,
  });
  await passes[kind](draft);
}

/** γ and β of each norm into what reads it; a layer norm's readers have their mean taken away. */
async function foldNorms(draft: Draft): Promise<void> {
  for (const [at, readers] of readersOf(draft.config)) await foldNorm(draft, at, readers);
}

async function foldNorm(draft: Draft, at: string, readers: readonly Reader[]): Promise<void> {
  const { normalization, norm_offset: offset = 0, name } = draft.config;
  const gain = (await draft.read(`${at}.w`)).data.map((w) => w + offset);
  const bias = draft.has(`${at}.b`) ? (await draft.read(`${at}.b`)).data : undefined;
  const biased = bias?.some((x) => x !== 0) ?? false;
  for (const { weight, bias: to, of } of readers) {
    // Hugging Face's GPT-2 has no b_U, and GPT-J no b_Q: what reads the norm is given one.
    if (biased && !draft.has(to)) draft.addBiases(of);
    check(!biased || draft.has(to), "edit/precondition", "foldNorms has nowhere to put a bias", {
      where: name,
      got: `${at}.b is not zero, and ${weight} has no ${to.split(".").at(-1)}`,
    });
    const W = await draft.own(weight);
    if (biased) addRead(W, bias!, await draft.own(to));
    scaleRows(W, gain);
    if (normalization === "LN") centreRows(W);
  }
  // What is left is the identity: γ is 1, and where norms multiply with offset + w, w is 1 − offset.
  (await draft.own(`${at}.w`)).data.fill(1 - offset);
  if (bias !== undefined) (await draft.own(`${at}.b`)).data.fill(0);
}

async function centreWritingWeights(draft: Draft): Promise<void> {
  const { n_layers } = draft.config;
  const names = ["embed.W_E", "pos_embed.W_pos"];
  for (let layer = 0; layer < n_layers; layer++) {
    const at = `blocks.${layer}`;
    names.push(`${at}.attn.W_O`, `${at}.attn.b_O`);
    for (const mlp of mlpsOf(draft.config, layer)) names.push(`${mlp}.W_out`, `${mlp}.b_out`);
  }
  for (const name of names) if (draft.has(name)) centreLast(await draft.own(name));
}

async function centreUnembed(draft: Draft): Promise<void> {
  for (const name of ["unembed.W_U", "unembed.b_U"])
    if (draft.has(name)) centreLast(await draft.own(name));
}

/** b_O += Σ_head b_V W_O; heads of a group share their b_V. */
async function foldValueBiases(draft: Draft): Promise<void> {
  const { n_layers, n_heads, d_head, d_model } = draft.config;
  const perGroup = n_heads / keyValueHeads(draft.config);
  for (let layer = 0; layer < n_layers; layer++) {
    const at = `blocks.${layer}.attn`;
    const b_V = await draft.own(`${at}.b_V`);
    const W_O = (await draft.read(`${at}.W_O`)).data;
    const sums = Float64Array.from((await draft.read(`${at}.b_O`)).data);
    for (let head = 0; head < n_heads; head++)
      for (let i = 0; i < d_head; i++) {
        const b = b_V.data[Math.floor(head / perGroup) * d_head + i]!;
        const row = (head * d_head + i) * d_model;
        for (let j = 0; j < d_model; j++) sums[j]! += b * W_O[row + j]!;
      }
    (await draft.own(`${at}.b_O`)).data.set(sums);
    b_V.data.fill(0);
  }
}

/** A weight [.., d_model, out] that reads the stream through a norm, and its bias's name. */
interface Reader {
  readonly weight: string;
  readonly bias: string;
  readonly of: keyof Biases;
}

/** Every norm that something linear reads, and what reads it. */
function readersOf(config: ModelConfig): [string, Reader[]][] {
  const out: [string, Reader[]][] = [];
  for (let layer = 0; layer < config.n_layers; layer++) {
    const at = `blocks.${layer}`;
    const heads = ["Q", "K", "V"].map((of) => reader("qkv", `${at}.attn`, `W_${of}`, `b_${of}`));
    const neurons = config.attn_only ? [] : mlpReaders(config, layer);
    if (config.parallel === "shared") out.push([`${at}.ln1`, [...heads, ...neurons]]);
    else {
      out.push([`${at}.ln1`, heads]);
      if (!config.attn_only) out.push([`${at}.ln2`, neurons]);
    }
  }
  if (config.final_norm !== false)
    out.push(["ln_final", [reader("unembed", "unembed", "W_U", "b_U")]]);
  return out;
}

const reader = (of: keyof Biases, at: string, weight: string, bias: string): Reader => ({
  of,
  weight: `${at}.${weight}`,
  bias: `${at}.${bias}`,
});

function mlpReaders(config: ModelConfig, layer: number): Reader[] {
  const readers = mlpsOf(config, layer).flatMap((at) => [
    ...(config.gated ? [reader("mlp", at, "W_gate", "b_gate")] : []),
    reader("mlp", at, "W_in", "b_in"),
  ]);
  if (hasExperts(config, layer))
    readers.push(reader("mlp", `blocks.${layer}.mlp`, "router.W", "router.b"));
  return readers;
}

/** Where a block's neurons lie: one MLP, or one an expert. */
function mlpsOf(config: ModelConfig, layer: number): string[] {
  const at = `blocks.${layer}.mlp`;
  if (config.attn_only) return [];
  if (!hasExperts(config, layer)) return [at];
  return Array.from({ length: config.experts!.n_experts }, (_, e) => `${at}.experts.${e}`);
}

/** W [.., d_model, out] as matrices: calls with the flat place of row 0 and column j of each. */
function eachColumn(
  { shape, data }: Tensor<"float32">,
  visit: (column: number, first: number, step: number, rows: number) => void,
): void {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const matrices = data.length / (rows * columns);
  for (let m = 0; m < matrices; m++)
    for (let j = 0; j < columns; j++) visit(m * columns + j, m * rows * columns + j, columns, rows);
}

/** b += x W, with x [d_model]. */
function addRead(W: Tensor<"float32">, x: Float32Array, b: Tensor<"float32">): void {
  eachColumn(W, (column, first, step, rows) => {
    let sum = b.data[column]!;
    for (let i = 0; i < rows; i++) sum += x[i]! * W.data[first + i * step]!;
    b.data[column] = sum;
  });
}

function scaleRows(W: Tensor<"float32">, by: Float32Array): void {
  eachColumn(W, (_, first, step, rows) => {
    for (let i = 0; i < rows; i++) W.data[first + i * step]! *= by[i]!;
  });
}

/** Takes away what the direction of equal entries would read: a layer norm's output has none of it. */
function centreRows(W: Tensor<"float32">): void {
  eachColumn(W, (_, first, step, rows) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += W.data[first + i * step]!;
    for (let i = 0; i < rows; i++) W.data[first + i * step]! -= sum / rows;
  });
}

/** Each row along the last axis, its mean taken away. */
function centreLast({ shape, data }: Tensor<"float32">): void {
  const width = shape.at(-1)!;
  for (let row = 0; row < sizeOf(shape); row += width) {
    let sum = 0;
    for (let i = row; i < row + width; i++) sum += data[i]!;
    for (let i = row; i < row + width; i++) data[i]! -= sum / width;
  }
}
