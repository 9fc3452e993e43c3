// How tokens or pixels become the stream that the first block reads.
import { check } from "../../base/errors.ts";
import {
  add,
  concat,
  conv2d,
  expand,
  gather,
  reshape,
  slice,
  transpose,
  type Value,
} from "../../graph/index.ts";
import { normAt } from "../blocks/block.ts";
import type { Scope } from "../blocks/scope.ts";
import type { Encoder, ImageInput } from "../config.ts";

/** tokens int32 [batch, pos] → [batch, pos, d_model]. */
export function embedTokens(
  scope: Scope,
  encoder: Encoder,
  tokens: Value,
  { token_types, position_ids }: { token_types?: Value; position_ids?: Value },
): Value {
  const { config, weights, tap } = scope;
  const [batch, pos] = tokens.shape as [number, number];
  const all = [batch, pos, config.d_model];
  check(pos <= config.n_ctx, "model/length", "the rows are longer than the model has positions", {
    where: config.name,
    got: pos,
    wanted: `at most ${config.n_ctx}`,
  });
  // [pos, d_model] or [batch, pos, d_model]
  const rows = (table: Value, ids: Value | undefined, end: number): Value =>
    ids === undefined
      ? expand(slice(table, { axis: 0, start: 0, end }), all)
      : gather(table, ids, { axis: 0 });
  const found = tap("hook_embed", gather(weights["embed.W_E"]!, tokens, { axis: 0 }));
  const places = tap("hook_pos_embed", rows(weights["pos_embed.W_pos"]!, position_ids, pos));
  const types = weights["token_type_embed.W_token_type"];
  check(
    types !== undefined || token_types === undefined,
    "model/encoder",
    "this model knows no segments, and was given token types",
    { where: config.name },
  );
  const kinds = types && tap("hook_token_type_embed", rows(types, token_types, 1));
  const sum = add(kinds === undefined ? found : add(found, kinds), places);
  return tap("hook_full_embed", encoder.embed_norm ? normAt(scope, sum, "embed.ln") : sum);
}

/** pixels float32 [batch, channels, height, width] → [batch, 1 + patches, d_model], class token first. */
export function embedImage(
  scope: Scope,
  { size, patch, channels }: ImageInput,
  encoder: Encoder,
  pixels: Value,
): Value {
  const { config, weights, tap } = scope;
  const { d_model, n_ctx } = config;
  const [batch, ...image] = pixels.shape as [number, ...number[]];
  check(
    image.join() === [channels, ...size].join(),
    "model/image",
    "the image has another size than the model reads",
    {
      where: config.name,
      got: `[${pixels.shape.join(", ")}]`,
      wanted: `[batch, ${channels}, ${size.join(", ")}]`,
    },
  );
  const bias = weights["patch_embed.b"];
  const grid = conv2d(pixels, weights["patch_embed.W"]!, { stride: patch });
  const flat = transpose(reshape(grid, [batch, d_model, n_ctx - 1]), [0, 2, 1]);
  const patches = tap("hook_embed", bias === undefined ? flat : add(flat, bias));
  const first = expand(reshape(weights.cls_token!, [1, 1, d_model]), [batch, 1, d_model]);
  const all = concat([first, patches], { axis: 1 });
  const table = expand(weights["pos_embed.W_pos"]!, [batch, n_ctx, d_model]);
  const full = tap("hook_full_embed", add(all, tap("hook_pos_embed", table)));
  return encoder.embed_norm ? tap("hook_ln_pre", normAt(scope, full, "ln_pre")) : full;
}
