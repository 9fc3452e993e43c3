// What a decoder-only transformer computes: tokens → residual stream → logits, as graph values.
// Formulae and names as in TransformerLens.
import { check, fail } from "../base/errors.ts";
import { add, expand, gather, slice, type Value } from "../graph/index.ts";
import { type KeyValues, softcap } from "./blocks/attention.ts";
import { block, normAt, scaled } from "./blocks/block.ts";
import { linear } from "./blocks/linear.ts";
import { type Mask, maskOf, positionsOf } from "./blocks/mask.ts";
import { type Turn, turn } from "./blocks/rope.ts";
import { type Scope, type Tap, untouched, type Weights } from "./blocks/scope.ts";
import { type ModelConfig, rotaryOf, windowOf } from "./config.ts";
import { encode } from "./encoders/encode.ts";

export interface ForwardOptions {
  tap?: Tap;
  /** Of past and new tokens, int32 [batch, past + pos]: 0 where there is none (left padding). */
  attention_mask?: Value;
  /** int32 [batch, pos]; by the mask when left out, and counted from the past without one. */
  position_ids?: Value;
  /** One a layer: keys as `present` gave them, and values, [batch, key head, past, d_head]. */
  past?: readonly KeyValues[];
  /** How many positions are read in all, where a scaling of positions depends on it. */
  length?: number;
  /** Only the logits after the last position, [batch, 1, d_vocab]; so are the sites behind the last block. */
  last?: boolean;
}

export interface Forward {
  /** [batch, pos, d_vocab] */
  logits: Value;
  /** One a layer, of the new positions only. */
  present: readonly KeyValues[];
}

/**
 * `tokens` int32 [batch, pos] → logits [batch, pos, d_vocab]. An encoder of texts is run too, as
 * `encode` does; what it does not have is refused when it is read.
 */
export function forward(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  options: ForwardOptions = {},
): Forward {
  if (config.encoder !== undefined) return forwardEncoder(config, weights, tokens, options);
  const { resid, present } = stream(config, weights, tokens, options);
  const pos = tokens.shape[1]!;
  const read = options.last ? slice(resid, { axis: 1, start: pos - 1, end: pos }) : resid;
  return { logits: unembed(config, weights, read, options), present };
}

function forwardEncoder(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  { past, last, ...options }: ForwardOptions,
): Forward {
  const lacks = (what: string): never =>
    fail("model/encoder", `this model is an encoder: it has no ${what}`, { where: config.name });
  if (past !== undefined) lacks("keys and values of the past");
  if (last) lacks("next token to predict");
  const { logits } = encode(config, weights, { tokens }, options);
  return {
    get logits() {
      return logits?.shape.length === 3 ? logits : lacks("logits of tokens");
    },
    get present() {
      return lacks("keys and values to keep");
    },
  };
}

/** Encoders read their logits otherwise, and predict no next token. */
function decoderOnly({ encoder, name }: ModelConfig): void {
  check(encoder === undefined, "model/encoder", "this model is an encoder, and no decoder", {
    where: name,
    hint: "encode gives its hidden states and logits",
  });
}

/** `tokens` int32 [batch, pos] → the residual stream after the last block, [batch, pos, d_model]. */
export function residual(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  options: ForwardOptions = {},
): Value {
  decoderOnly(config);
  return stream(config, weights, tokens, options).resid;
}

/** Residual stream [batch, pos, d_model] → logits [batch, pos, d_vocab]. */
export function unembed(
  config: ModelConfig,
  weights: Weights,
  resid: Value,
  { tap = untouched }: Pick<ForwardOptions, "tap"> = {},
): Value {
  decoderOnly(config);
  const scope = { config, weights, tap };
  const x = config.final_norm === false ? resid : normAt(scope, resid, "ln_final");
  const logits = linear(x, weights["unembed.W_U"]!, weights["unembed.b_U"]);
  return softcap(scaled(logits, config.logits_multiplier), config.logits_softcap);
}

function stream(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  { tap = untouched, ...options }: ForwardOptions,
): { resid: Value; present: KeyValues[] } {
  const scope = { config, weights, tap };
  const order = orderOf(config, tokens, options);
  let x = embed(scope, tokens, order);
  const present: KeyValues[] = [];
  for (let layer = 0; layer < config.n_layers; layer++) {
    const out = block({ ...scope, at: `blocks.${layer}`, layer }, x, {
      mask: order.mask(layer),
      turn: order.turn(layer),
      past: options.past?.[layer],
    });
    x = out.resid;
    present.push(out.present);
  }
  return { resid: x, present };
}

/** What depends on where a token stands. */
interface Order {
  past: number;
  position_ids?: Value;
  mask(layer: number): Mask | undefined;
  turn(layer: number): Turn | undefined;
}

function orderOf(
  config: ModelConfig,
  tokens: Value,
  { attention_mask, position_ids, past: before, length }: Omit<ForwardOptions, "tap">,
): Order {
  const pos = tokens.shape[1]!;
  const past = before?.[0]?.k.shape[2] ?? 0;
  const total = past + pos;
  const ids =
    position_ids ?? (attention_mask === undefined ? undefined : positionsOf(attention_mask, past));
  const rows = position_ids === undefined ? total : Math.max(total, config.n_ctx);
  // Layers with the same settings share one value.
  const masks = new Map<number | undefined, Mask | undefined>();
  const turns = new Map<unknown, Turn | undefined>();
  return {
    past,
    position_ids: ids,
    mask(layer) {
      const window = windowOf(config, layer);
      if (!masks.has(window)) masks.set(window, maskOf({ past, pos, window, attention_mask }));
      return masks.get(window);
    },
    turn(layer) {
      const rotary = rotaryOf(config, layer);
      if (rotary === undefined) return undefined;
      if (!turns.has(rotary)) {
        const at = { first: past, pos, position_ids: ids, rows, total: length ?? total };
        turns.set(rotary, turn(rotary, at));
      }
      return turns.get(rotary);
    },
  };
}

function embed({ config, weights, tap }: Scope, tokens: Value, order: Order): Value {
  const [batch, pos] = tokens.shape as [number, number];
  const found = gather(weights["embed.W_E"]!, tokens, { axis: 0 });
  const embedded = tap("hook_embed", scaled(found, config.embed_multiplier));
  if (config.positions !== "learned") return embedded;
  const table = weights["pos_embed.W_pos"]!;
  if (order.position_ids !== undefined) {
    const places = gather(table, order.position_ids, { axis: 0 });
    return add(embedded, tap("hook_pos_embed", places));
  }
  const place = slice(table, { axis: 0, start: order.past, end: order.past + pos });
  const places = expand(place, [batch, pos, config.d_model]);
  const tapped = tap("hook_pos_embed", places);
  return add(embedded, tapped === places ? place : tapped);
}
