// What a model is: its sizes, its variants of the common mathematics, its weights.
import type { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Stored } from "./stored.ts";

export const actFns = [
  "relu",
  /** x · max(x, 0): squared. */
  "relu2",
  /** Exact, with the error function. */
  "gelu",
  /** With a tanh: GPT-2, Gemma. Also `gelu_pytorch_tanh` and `gelu_fast`. */
  "gelu_new",
  /** x · σ(1.702 x): CLIP. */
  "quick_gelu",
  "silu",
  /** x · softmax(x). */
  "solu",
  /** SoLU with a layer norm over the neurons after it. */
  "solu_ln",
] as const;

export type ActFn = (typeof actFns)[number];

/** How the frequencies of a rotary embedding change for texts longer than those trained on. */
export type RotaryScaling =
  | { readonly type: "linear"; readonly factor: number }
  /** The base grows with what is read beyond `original` positions. */
  | { readonly type: "dynamic"; readonly factor: number; readonly original: number }
  /** Slow frequencies are divided by the factor, fast ones kept, those between blended. */
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly low: number;
      readonly high: number;
      readonly original: number;
    }
  /** Peng et al. 2023; cosines and sines are multiplied by `attention_factor`. */
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly original: number;
      readonly beta_fast: number;
      readonly beta_slow: number;
      readonly attention_factor: number;
      readonly truncate: boolean;
    }
  /** One divisor a frequency: `long` where more than `original` positions are read. */
  | {
      readonly type: "longrope";
      readonly short: readonly number[];
      readonly long: readonly number[];
      readonly original: number;
      readonly attention_factor: number;
    };

export interface Rotary {
  readonly base: number;
  /** How many numbers of each head turn, counted from the first. */
  readonly dim: number;
  /** Neighbours turn together, (0, 1), (2, 3), …, as in GPT-J; else the halves do: (0, dim/2), … */
  readonly interleaved?: boolean;
  readonly scaling?: RotaryScaling;
}

export interface Experts {
  readonly n_experts: number;
  /** How many a token uses. */
  readonly k: number;
  /** `softmax`: over all, then the largest k; `chosen`: the largest k, then over those. */
  readonly gating: "softmax" | "chosen";
  /** Whether the k weights are divided by their sum (`softmax` gating). */
  readonly normalize?: boolean;
  /** Which layers have experts; all when left out. The others have a plain MLP. */
  readonly layers?: readonly boolean[];
  /** Neurons of an expert; `d_mlp` when left out. */
  readonly d_expert?: number;
  /** gpt-oss: gate ≤ limit, |linear| ≤ limit, gate · σ(alpha · gate) · (linear + 1). */
  readonly clamped?: { readonly alpha: number; readonly limit: number };
  /** Router and experts have biases. */
  readonly biases?: boolean;
}

/** Which sublayers add biases; what is left out does. */
export interface Biases {
  readonly qkv?: boolean;
  readonly o?: boolean;
  readonly mlp?: boolean;
  readonly norm?: boolean;
  readonly unembed?: boolean;
}

/** Pixels are cut into patches, read row by row, behind a class token. */
export interface ImageInput {
  /** Height and width, in pixels. */
  readonly size: readonly [number, number];
  readonly patch: readonly [number, number];
  readonly channels: number;
  /** Whether the convolution over patches adds a bias. */
  readonly bias: boolean;
}

/** What a sentence's embedding is made of, as sentence-transformers say it. */
export interface SentenceEmbedding {
  readonly pool: "mean" | "first";
  /** Divided by its length. */
  readonly normalize: boolean;
}

/** What an encoder has and a decoder lacks; `encode` computes it. */
export interface Encoder {
  readonly image?: ImageInput;
  /** Tokens see none after them: the text tower of CLIP. Else all see all. */
  readonly causal?: boolean;
  /** Kinds of segments, which have embeddings: BERT. */
  readonly n_token_types?: number;
  /** A norm over the embeddings: `embed.ln` of tokens, `ln_pre` of an image. */
  readonly embed_norm?: boolean;
  /** The last norm is only for what is read from: `hidden` is the stream before it (CLIP's images). */
  readonly hidden_before_norm?: boolean;
  /** Which position stands for all: the first, or where the text ends. */
  readonly pool: "first" | "eot";
  /** The token at which a text ends; the largest of a row when left out. */
  readonly eot?: number;
  /** What stands for all passes a linear layer and tanh. */
  readonly pooler?: boolean;
  /** Linear layer, activation function and norm before the unembedding (BERT). */
  readonly mlm_head?: boolean;
  /** Whether one segment follows the other: two logits (BERT). */
  readonly nsp_head?: boolean;
  readonly n_classes?: number;
  /** What stands for all is projected, without bias, into a space shared with another encoder. */
  readonly d_projection?: number;
  /** The factor of similarities in that space, as a logarithm, is among the weights. */
  readonly logit_scale?: boolean;
  readonly sentence?: SentenceEmbedding;
}

/** Optional keys have the value of an ordinary GPT when they are left out. */
export interface ModelConfig {
  name: string;
  n_layers: number;
  d_model: number;
  n_heads: number;
  d_head: number;
  d_mlp: number;
  /** 0 where images are read. */
  d_vocab: number;
  n_ctx: number;
  act_fn: ActFn;
  /** RMS: without centring, and without bias. */
  normalization: "none" | "LN" | "RMS";
  positions: "none" | "learned" | "rotary";

  /** Which file of `families/` it was read by. */
  family?: string;
  /** Fewer than `n_heads`: neighbouring query heads share keys and values. */
  n_key_value_heads?: number;
  /** There are no MLPs. */
  attn_only?: boolean;
  /** The MLP multiplies act(x W_gate) with x W_in. */
  gated?: boolean;
  biases?: Biases;
  /** Added to the variance; 1e-5 when left out. */
  eps?: number;
  /** Norms multiply with offset + w: 1 for Gemma. */
  norm_offset?: number;
  /**
   * `pre`: sublayers read through a norm. `sandwich`: what they write passes one too (`ln1_post`,
   * `ln2_post`). `post`: only what they write does (OLMo 2; `ln1` and `ln2`).
   */
  norm_placement?: "pre" | "sandwich" | "post";
  /** With `post`: not what is written passes the norm, but the stream after its addition (BERT). */
  stream_norm?: boolean;
  /** Attention and MLP read the same stream, through a norm each, or through `ln1` both. */
  parallel?: "separate" | "shared";
  /** Whether logits are read through a norm; yes when left out. */
  final_norm?: boolean;
  /** A norm on queries and keys: over each head, one weight for all; or over all heads together. */
  qk_norm?: "head" | "whole";
  rotary?: Rotary;
  /** For layers with a window, when theirs differs. */
  local_rotary?: Rotary;
  /** Which layers turn queries and keys; all when left out. */
  rotary_layers?: readonly boolean[];
  /** What scores are multiplied by; 1/√d_head when left out. */
  attn_scale?: number;
  /** Scores are also divided by layer + 1. */
  scale_by_inverse_layer?: boolean;
  /** Scores x become c · tanh(x / c). */
  attn_softcap?: number;
  logits_softcap?: number;
  /** A query sees this many keys, its own included. */
  window?: number;
  /** Which layers have the window; all when left out. */
  window_layers?: readonly boolean[];
  /** A learned logit a head that takes part in the softmax and then is dropped. */
  attn_sinks?: boolean;
  embed_multiplier?: number;
  /** What each sublayer writes is multiplied by it. */
  resid_multiplier?: number;
  logits_multiplier?: number;
  /** The unembedding is the embedding's transpose, in one tensor. */
  tied?: boolean;
  experts?: Experts;
  /** It is no decoder: `encode` runs it, and `n_ctx` counts an image's patches and class token. */
  encoder?: Encoder;
}

/** Weights that lay in blocks of fewer than 8 bits: other ones than those that were trained. */
export interface StoredBlocks {
  /** Block type → how many tensors: Q4_0, Q6_K, … */
  readonly types: Readonly<Record<string, number>>;
  /** Of all of them together, where the trained weights were there to be compared with. */
  readonly error?: {
    /** Root mean square of the difference over that of the trained weights. */
    readonly relative: number;
    readonly largest: number;
    /** Hash of the model that they were compared with. */
    readonly reference: string;
  };
}

export interface Model {
  readonly config: ModelConfig;
  /**
   * By TransformerLens name: `embed.W_E`, `blocks.0.attn.W_Q`, … Those of a model that stays in its
   * files are read anew at each access: see `readWeight` and `bindWeights`.
   */
  readonly weights: Readonly<Record<string, Tensor<"float32">>>;
  /** Where the weights come from, when they are views of other tensors. */
  readonly stored?: Stored;
  readonly tokenizer?: Tokenizer;
  /** Changes of coordinates that its weights have been through, first to last: see `editModel`. */
  readonly processing?: readonly string[];
  /** Left out where the weights are those of 8 bits or more. */
  readonly blocks?: StoredBlocks;
  /** Of config and weights: what recordings and dictionaries are bound to. */
  readonly hash: string;
}

/** Whole patches of an image. */
export function patches({ size, patch }: ImageInput): number {
  return Math.floor(size[0] / patch[0]) * Math.floor(size[1] / patch[1]);
}

/** Heads that keys and values have. */
export function keyValueHeads({ n_heads, n_key_value_heads }: ModelConfig): number {
  return n_key_value_heads ?? n_heads;
}

export function windowOf(config: ModelConfig, layer: number): number | undefined {
  return config.window_layers?.[layer] === false ? undefined : config.window;
}

export function rotaryOf(config: ModelConfig, layer: number): Rotary | undefined {
  if (config.positions !== "rotary" || config.rotary_layers?.[layer] === false) return undefined;
  const local = windowOf(config, layer) !== undefined ? config.local_rotary : undefined;
  return local ?? config.rotary;
}

export function hasExperts(config: ModelConfig, layer: number): boolean {
  return config.experts !== undefined && config.experts.layers?.[layer] !== false;
}

/**
 * Tokens of the longest row: `n_ctx`, and beyond it as far as a dynamic rotary scaling is meant to stretch.
 * Writing stays within `n_ctx`: its cache keeps keys as the shorter text turned them.
 */
export function longestRow({ n_ctx, rotary }: ModelConfig): number {
  const scaling = rotary?.scaling;
  if (scaling?.type !== "dynamic") return n_ctx;
  return Math.max(n_ctx, Math.floor(scaling.factor * scaling.original));
}

/** Bytes of the largest value that one row of `pos` tokens makes on the way: bounds a run's rows. */
export function largestRowBytes(
  config: ModelConfig,
  pos: number,
  { logits = false }: { logits?: boolean } = {},
): number {
  const { d_model, n_heads, d_head, d_mlp, d_vocab } = config;
  const widths = [d_model, 3 * n_heads * d_head, d_mlp, n_heads * pos, logits ? d_vocab : 0];
  return 4 * pos * Math.max(...widths);
}
