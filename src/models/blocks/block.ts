// What one block adds to the residual stream: attention and MLP, and where their norms stand.
import { add, mul, type Value } from "../../graph/index.ts";
import { hasExperts } from "../config.ts";
import { type AttentionOptions, attention, type KeyValues } from "./attention.ts";
import { mlp } from "./mlp.ts";
import { experts } from "./moe.ts";
import { norm } from "./norm.ts";
import type { Place, Scope } from "./scope.ts";

/** x [batch, pos, d_model] → the stream after the block. */
export function block(
  place: Place,
  x: Value,
  options: AttentionOptions,
): { resid: Value; present: KeyValues } {
  const { config, tap, at } = place;
  const { norm_placement = "pre", parallel } = config;
  if (config.stream_norm) return postNormBlock(place, x, options);
  const post = norm_placement === "post";
  const read = (value: Value, name: string): Value =>
    post ? value : normAt(place, value, `${at}.${name}`);
  const written = (value: Value, name: string): Value => {
    const normed =
      norm_placement === "pre"
        ? value
        : normAt(place, value, `${at}.${name}${post ? "" : "_post"}`);
    return scaled(normed, config.resid_multiplier);
  };
  const feed = (value: Value): Value => {
    const inner = { ...place, at: `${at}.mlp` };
    const out = hasExperts(config, place.layer) ? experts(inner, value) : mlp(inner, value);
    return tap(`${at}.hook_mlp_out`, written(out, "ln2"));
  };

  const pre = tap(`${at}.hook_resid_pre`, x);
  const first = read(pre, "ln1");
  const { out, present } = attention({ ...place, at: `${at}.attn` }, first, options);
  const attended = tap(`${at}.hook_attn_out`, written(out, "ln1"));
  if (config.attn_only) return { resid: tap(`${at}.hook_resid_post`, add(pre, attended)), present };
  if (parallel !== undefined) {
    const fed = feed(parallel === "shared" ? first : read(pre, "ln2"));
    return { resid: tap(`${at}.hook_resid_post`, add(add(pre, attended), fed)), present };
  }
  const mid = tap(`${at}.hook_resid_mid`, add(pre, attended));
  const fed = feed(read(mid, "ln2"));
  return { resid: tap(`${at}.hook_resid_post`, add(mid, fed)), present };
}

/** As BERT has it: the stream itself passes a norm after each addition. */
function postNormBlock(
  place: Place,
  x: Value,
  options: AttentionOptions,
): { resid: Value; present: KeyValues } {
  const { tap, at } = place;
  const pre = tap(`${at}.hook_resid_pre`, x);
  const { out, present } = attention({ ...place, at: `${at}.attn` }, pre, options);
  const mid = tap(`${at}.hook_resid_mid`, add(pre, tap(`${at}.hook_attn_out`, out)));
  const read = normAt(place, mid, `${at}.ln1`);
  const fed = tap(`${at}.hook_mlp_out`, mlp({ ...place, at: `${at}.mlp` }, read));
  const post = tap(`${at}.hook_resid_post`, add(read, fed));
  const resid = tap(`${at}.hook_normalized_resid_post`, normAt(place, post, `${at}.ln2`));
  return { resid, present };
}

export function normAt({ config, weights, tap }: Scope, x: Value, at: string): Value {
  const { normalization: kind, eps = 1e-5, norm_offset: offset } = config;
  const [weight, bias] = [weights[`${at}.w`], weights[`${at}.b`]];
  return norm(x, { kind, eps, offset, weight, bias, tap, at });
}

export function scaled(x: Value, by: number | undefined): Value {
  return by === undefined ? x : mul(x, by);
}
