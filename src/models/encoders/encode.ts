// What an encoder computes: tokens or pixels → hidden states, what stands for all of them, logits.
// Names as in TransformerLens (BERT) and ViT-Prisma (ViT, CLIP), where they have them.
import { check, fail } from "../../base/errors.ts";
import type { Value } from "../../graph/index.ts";
import { block, normAt } from "../blocks/block.ts";
import { maskOf } from "../blocks/mask.ts";
import { type Tap, untouched, type Weights } from "../blocks/scope.ts";
import type { Encoder, ModelConfig } from "../config.ts";
import { embedImage, embedTokens } from "./embed.ts";
import { type Heads, readHeads } from "./heads.ts";

export interface EncoderInputs {
  /** int32 [batch, pos] */
  tokens?: Value;
  /** Segments, int32 [batch, pos]; all 0 when left out. */
  token_types?: Value;
  /** float32 [batch, channels, height, width], normalised already: see `readPreprocess`. */
  pixels?: Value;
}

export interface EncodeOptions {
  tap?: Tap;
  /** int32 [batch, pos]: 0 where there is no token. */
  attention_mask?: Value;
  /**
   * int32 [batch, pos]; when left out 0, 1, … from the start of the row, padding counted too, as
   * Hugging Face has it.
   */
  position_ids?: Value;
}

export interface Encoding extends Heads {
  /** After the last block and norm, [batch, pos, d_model]; see `hidden_before_norm`. */
  readonly hidden: Value;
}

/** Tokens or pixels, whichever the model reads. */
export function encode(
  config: ModelConfig,
  weights: Weights,
  { tokens, token_types, pixels }: EncoderInputs,
  { tap = untouched, attention_mask, position_ids }: EncodeOptions = {},
): Encoding {
  const encoder = encoderOf(config);
  const scope = { config, weights, tap };
  const reads = encoder.image === undefined ? tokens : pixels;
  check(reads !== undefined, "model/encoder", "this encoder was given something else to read", {
    where: config.name,
    wanted: encoder.image === undefined ? "tokens" : "pixels",
  });
  let x =
    encoder.image === undefined
      ? embedTokens(scope, encoder, reads, { token_types, position_ids })
      : embedImage(scope, encoder.image, encoder, reads);
  const mask = maskOf({
    past: 0,
    pos: x.shape[1]!,
    causal: encoder.causal === true,
    attention_mask,
  });
  for (let layer = 0; layer < config.n_layers; layer++)
    x = block({ ...scope, at: `blocks.${layer}`, layer }, x, { mask }).resid;
  const last = config.final_norm === false ? x : tap("hook_ln_final", normAt(scope, x, "ln_final"));
  const hidden = encoder.hidden_before_norm ? x : last;
  return { hidden, ...readHeads(scope, encoder, last, { tokens, attention_mask }) };
}

/** Refuses decoders: `model/encoder`. */
export function encoderOf({ encoder, name }: ModelConfig): Encoder {
  if (encoder !== undefined) return encoder;
  return fail("model/encoder", "this model is no encoder", {
    where: name,
    hint: "forward runs a decoder",
  });
}
