// What must every site of a model be, given the sites before it? A table of formulae, in the order of the forward pass.
import { attention } from "./attention.ts";
import { mlp } from "./mlp.ts";
import { activations, linear, map, plus, type Rows, times } from "./rows.ts";
import { type Claimed, norm, type Recorded, type Scope } from "./scope.ts";

/** Every site's value by its formula; what follows reads the recorded values, so that no error hides in the next. */
export function formulae(recorded: Recorded): Claimed[] {
  const claims: Claimed[] = [];
  const scope: Scope = {
    ...recorded,
    claim: (rule, of, wanted) => {
      claims.push({ rule, of, wanted });
      return recorded.sites[of] ?? wanted;
    },
  };
  const { config } = recorded;
  let stream = embedded(scope);
  for (let layer = 0; layer < config.n_layers; layer++) stream = block(scope, layer, stream);
  ending(scope, stream);
  return claims;
}

function embedded(scope: Scope): Rows {
  const { config, weights, fed, claim } = scope;
  const { d_model, encoder } = config;
  const table = weights["pos_embed.W_pos"];
  const rule = "the stream begins with the embeddings";
  if (encoder?.image !== undefined) {
    const [batch] = fed.pixels!.shape as [number];
    const patches = claim("patches are projected", "hook_embed", patched(scope));
    const cls = weights.cls_token!.data;
    const size = config.n_ctx * d_model;
    const all: Rows = {
      shape: [batch, config.n_ctx, d_model],
      data: Float64Array.from({ length: batch * size }, (_, i) => {
        const [row, at] = [Math.floor(i / size), i % size];
        return at < d_model ? cls[at]! : patches.data[row * (size - d_model) + at - d_model]!;
      }),
    };
    const places = claim(rule, "hook_pos_embed", repeated(table!, all.shape));
    const full = claim(rule, "hook_full_embed", plus(all, places));
    return encoder.embed_norm ? claim(rule, "hook_ln_pre", norm(scope, "ln_pre", full)) : full;
  }
  const { tokens, token_types } = fed;
  const [batch, pos] = tokens!.shape as [number, number];
  const shape = [batch, pos, d_model];
  const rows = (of: Rows, ids: Rows): Rows => ({
    shape,
    data: Float64Array.from({ length: batch * pos * d_model }, (_, i) => {
      return of.data[ids.data[Math.floor(i / d_model)]! * d_model + (i % d_model)]!;
    }),
  });
  const found = times(rows(weights["embed.W_E"]!, tokens!), config.embed_multiplier ?? 1);
  let sum = claim(rule, "hook_embed", found);
  if (table !== undefined) {
    const first = { shape: [pos, d_model], data: Array.from(table.data).slice(0, pos * d_model) };
    sum = plus(sum, claim(rule, "hook_pos_embed", repeated(first, shape)));
  }
  const types = weights["token_type_embed.W_token_type"];
  if (types !== undefined) {
    const kinds = token_types ?? map(tokens!, () => 0);
    sum = plus(sum, claim(rule, "hook_token_type_embed", rows(types, kinds)));
  }
  if (encoder === undefined) return sum;
  const full = encoder.embed_norm ? norm(scope, "embed.ln", sum) : sum;
  return claim(rule, "hook_full_embed", full);
}

const repeated = (x: Rows, shape: readonly number[]): Rows =>
  plus({ shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) }, x);

/** [batch, patch, d_model]: each patch times the convolution's weights. */
function patched({ config, weights, fed }: Scope): Rows {
  const { size, patch, channels } = config.encoder!.image!;
  const [batch] = fed.pixels!.shape as [number];
  const [down, across] = [Math.floor(size[0] / patch[0]), Math.floor(size[1] / patch[1])];
  const inside = channels * patch[0] * patch[1];
  const data = Float64Array.from({ length: batch * down * across * inside }, (_, i) => {
    const [place, at] = [Math.floor(i / inside), i % inside];
    const [row, n] = [Math.floor(place / (down * across)), place % (down * across)];
    const y = Math.floor(n / across) * patch[0] + (Math.floor(at / patch[1]) % patch[0]);
    const x = (n % across) * patch[1] + (at % patch[1]);
    const channel = Math.floor(at / (patch[0] * patch[1]));
    return fed.pixels!.data[((row * channels + channel) * size[0] + y) * size[1] + x]!;
  });
  const W = weights["patch_embed.W"]!;
  const flat: Rows = {
    shape: [inside, config.d_model],
    data: Float64Array.from({ length: inside * config.d_model }, (_, i) => {
      return W.data[(i % config.d_model) * inside + Math.floor(i / config.d_model)]!;
    }),
  };
  return linear({ shape: [batch, down * across, inside], data }, flat, weights["patch_embed.b"]);
}

function block(scope: Scope, layer: number, stream: Rows): Rows {
  const { config, claim } = scope;
  const at = `blocks.${layer}`;
  const { norm_placement: place = "pre", parallel, stream_norm, resid_multiplier = 1 } = config;
  const adds = "the stream is the sum of what is written to it";
  const pre = claim("a block reads what the one before left", `${at}.hook_resid_pre`, stream);
  const read = (name: string, x: Rows): Rows =>
    place === "post" ? x : norm(scope, `${at}.${name}`, x);
  const written = (name: string, x: Rows): Rows => {
    if (stream_norm || place === "pre") return times(x, resid_multiplier);
    return times(
      norm(scope, `${at}.${name}${place === "post" ? "" : "_post"}`, x),
      resid_multiplier,
    );
  };
  const first = read("ln1", pre);
  const heads = attention(scope, layer, first);
  const attended = claim(
    "heads and b_O are what attention writes",
    `${at}.hook_attn_out`,
    written("ln1", heads),
  );
  let sum = plus(pre, attended);
  if (!config.attn_only) {
    if (parallel === undefined) sum = claim(adds, `${at}.hook_resid_mid`, sum);
    if (stream_norm) sum = norm(scope, `${at}.ln1`, sum);
    let x = sum;
    if (parallel === "shared") x = first;
    else if (!stream_norm) x = read("ln2", parallel === "separate" ? pre : sum);
    const fed = written("ln2", mlp(scope, layer, x));
    sum = plus(sum, claim("neurons and b_out are what the MLP writes", `${at}.hook_mlp_out`, fed));
  }
  const post = claim(adds, `${at}.hook_resid_post`, sum);
  if (!stream_norm) return post;
  return claim(adds, `${at}.hook_normalized_resid_post`, norm(scope, `${at}.ln2`, post));
}

function ending(scope: Scope, stream: Rows): void {
  const { config, weights, claim } = scope;
  const { encoder } = config;
  const W_U = weights["unembed.W_U"];
  const last = config.final_norm === false ? stream : norm(scope, "ln_final", stream);
  const logits = "the last norm and the unembedding give the logits";
  if (encoder === undefined) {
    const raw = times(linear(last, W_U!, weights["unembed.b_U"]), config.logits_multiplier ?? 1);
    const cap = config.logits_softcap;
    claim(logits, "logits", cap === undefined ? raw : map(raw, (x) => cap * Math.tanh(x / cap)));
    return;
  }
  const hidden = config.final_norm === false ? last : claim(logits, "hook_ln_final", last);
  if (encoder.pooler) {
    const [batch, pos, d] = hidden.shape as [number, number, number];
    const data = Float64Array.from(
      { length: batch * d },
      (_, i) => hidden.data[Math.floor(i / d) * pos * d + (i % d)]!,
    );
    const one = linear({ shape: [batch, d], data }, weights["pooler.W"]!, weights["pooler.b"]);
    claim("the first position stands for all", "pooler.hook_pooler_out", map(one, Math.tanh));
  }
  if (!encoder.mlm_head) return;
  const turned = activations[config.act_fn]!(
    linear(hidden, weights["mlm_head.W"]!, weights["mlm_head.b"]),
  );
  const read = norm(scope, "mlm_head.ln", turned);
  claim(logits, "logits", linear(read, W_U!, weights["unembed.b_U"]));
}
