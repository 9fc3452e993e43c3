// What is read from an encoder's last hidden states: one vector for all positions, and logits.
import {
  add,
  argmax,
  cast,
  div,
  equal,
  exp,
  expand,
  matmul,
  maximum,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  sum,
  takeAlong,
  tanh,
  transpose,
  type Value,
} from "../../graph/index.ts";
import { activations } from "../blocks/activation.ts";
import { normAt } from "../blocks/block.ts";
import { linear } from "../blocks/linear.ts";
import type { Scope } from "../blocks/scope.ts";
import type { Encoder } from "../config.ts";

export interface Heads {
  /** What stands for all positions, [batch, d_model]: after the pooler where there is one. */
  readonly pooled?: Value;
  /**
   * [batch, d]: projected, as CLIP compares them (not yet divided by its length), or pooled, as
   * sentence-transformers do.
   */
  readonly embedding?: Value;
  /** Of tokens [batch, pos, d_vocab], or of classes [batch, n_classes]. */
  readonly logits?: Value;
  /** Whether the second segment follows the first: [batch, 2], the first number says yes. */
  readonly nsp?: Value;
}

interface Read {
  tokens?: Value;
  attention_mask?: Value;
}

/** hidden [batch, pos, d_model] */
export function readHeads(
  { config, weights, tap }: Scope,
  encoder: Encoder,
  hidden: Value,
  { tokens, attention_mask }: Read,
): Heads {
  const w = (name: string): Value | undefined => weights[name];
  const at = encoder.pool === "eot" ? ending(encoder, tokens!) : undefined;
  const one = row(hidden, at);
  const pooled = encoder.pooler
    ? tap("pooler.hook_pooler_out", tanh(add(matmul(one, w("pooler.W")!), w("pooler.b")!)))
    : one;
  const classes = w("head.W_H");
  const nsp = w("nsp_head.W");
  const projection = w("projection.W");
  const { sentence } = encoder;
  const embedding =
    projection !== undefined
      ? matmul(pooled, projection)
      : sentence && pooledSentence(sentence, hidden, attention_mask);
  let logits: Value | undefined;
  if (encoder.mlm_head) {
    const act = activations[config.act_fn];
    const turned = act(linear(hidden, w("mlm_head.W")!, w("mlm_head.b")));
    const normed = normAt({ config, weights, tap }, turned, "mlm_head.ln");
    logits = linear(normed, w("unembed.W_U")!, w("unembed.b_U"));
  } else if (classes !== undefined) logits = add(matmul(pooled, classes), w("head.b_H")!);
  return {
    pooled,
    ...(embedding === undefined ? {} : { embedding }),
    ...(logits === undefined ? {} : { logits }),
    ...(nsp === undefined ? {} : { nsp: add(matmul(pooled, nsp), w("nsp_head.b")!) }),
  };
}

/** Where each text ends, int32 [batch]. */
function ending({ eot }: Encoder, tokens: Value): Value {
  return argmax(eot === undefined ? tokens : cast(equal(tokens, eot), "int32"), { axis: 1 });
}

/** hidden [batch, pos, d_model] at one position a row; the first when left out. */
function row(hidden: Value, at: Value | undefined): Value {
  const [batch, , d_model] = hidden.shape as [number, number, number];
  const one =
    at === undefined
      ? slice(hidden, { axis: 1, start: 0, end: 1 })
      : takeAlong(hidden, expand(reshape(at, [batch, 1, 1]), [batch, 1, d_model]), { axis: 1 });
  return reshape(one, [batch, d_model]);
}

/** As sentence-transformers: mean over tokens, or the first; then, if asked, of length one. */
function pooledSentence(
  { pool, normalize }: NonNullable<Encoder["sentence"]>,
  hidden: Value,
  attention_mask: Value | undefined,
): Value {
  const [batch, pos] = hidden.shape as [number, number, number];
  let pooled: Value;
  if (pool === "first") pooled = row(hidden, undefined);
  else if (attention_mask === undefined) pooled = mul(sum(hidden, { axes: [1] }), 1 / pos);
  else {
    const real = reshape(cast(attention_mask, "float32"), [batch, pos, 1]);
    const count = maximum(sum(real, { axes: [1] }), 1e-9);
    pooled = div(sum(mul(hidden, real), { axes: [1] }), count);
  }
  return normalize ? unit(pooled) : pooled;
}

/** x [batch, d], each row divided by its length. */
function unit(x: Value): Value {
  const length = sqrt(sum(square(x), { axes: [1], keepDims: true }));
  return div(x, maximum(length, 1e-12));
}

/**
 * How well images and texts fit, as CLIP says it: embeddings of both towers [images, d] and
 * [texts, d], and `logit_scale` of the image tower → logits [images, texts].
 */
export function clipLogits(images: Value, texts: Value, logit_scale: Value): Value {
  const likeness = matmul(unit(images), transpose(unit(texts), [1, 0]));
  return mul(likeness, exp(logit_scale));
}
