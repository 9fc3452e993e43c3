// Where attention and MLP weights lie in the layouts that checkpoints share.
import { keyValueHeads, type ModelConfig } from "../config.ts";
import { reshaped, sliced, transposed, type View, type ViewStep, view } from "../views.ts";

type Views = Record<string, View>;

/** A list over layers, each with the place of its weights in ours and in theirs. */
export function eachLayer(
  { n_layers }: ModelConfig,
  prefix: string,
  of: (at: string, from: string, layer: number) => Views,
): Views {
  const layers = Array.from({ length: n_layers }, (_, layer) => layer);
  return Object.assign({}, ...layers.map((l) => of(`blocks.${l}`, `${prefix}.${l}`, l)));
}

/** [out, in] as PyTorch's linear layers store it → [in, out]. */
export const turned = transposed(1, 0);

/** A linear layer of `heads` heads, [head · d_head, d_model] → [head, d_model, d_head]. */
export function headsOut(heads: number, d_head: number, d_model: number): ViewStep[] {
  return [reshaped(heads, d_head, d_model), transposed(0, 2, 1)];
}

/** [d_model, head · d_head] → [head, d_head, d_model]. */
export function headsIn(heads: number, d_head: number, d_model: number): ViewStep[] {
  return [reshaped(d_model, heads, d_head), transposed(1, 2, 0)];
}

export interface AttentionNames {
  q: string;
  k: string;
  v: string;
  o: string;
}

/** Four linear layers. */
export function separateAttention(
  config: ModelConfig,
  at: string,
  { q, k, v, o }: AttentionNames,
): Views {
  const { d_model, d_head, n_heads, biases = {} } = config;
  const kv = keyValueHeads(config);
  const views: Views = {};
  for (const [name, from, heads] of [
    ["Q", q, n_heads],
    ["K", k, kv],
    ["V", v, kv],
  ] as const) {
    views[`${at}.W_${name}`] = view(`${from}.weight`, ...headsOut(heads, d_head, d_model));
    if (biases.qkv !== false)
      views[`${at}.b_${name}`] = view(`${from}.bias`, reshaped(heads, d_head));
  }
  views[`${at}.W_O`] = view(`${o}.weight`, ...headsIn(n_heads, d_head, d_model));
  if (biases.o !== false) views[`${at}.b_O`] = view(`${o}.bias`);
  return views;
}

/** One linear layer with queries, keys and values one after another, [(heads + 2 kv) · d_head, in]. */
export function stackedAttention(config: ModelConfig, at: string, qkv: string, o: string): Views {
  const { d_model, d_head, n_heads, biases = {} } = config;
  const kv = keyValueHeads(config);
  const views = separateAttention(config, at, { q: "", k: "", v: "", o });
  let start = 0;
  for (const [name, heads] of [
    ["Q", n_heads],
    ["K", kv],
    ["V", kv],
  ] as const) {
    const part = sliced(0, start, start + heads * d_head);
    const steps = headsOut(heads, d_head, d_model);
    views[`${at}.W_${name}`] = view(`${qkv}.weight`, part, ...steps);
    if (biases.qkv !== false)
      views[`${at}.b_${name}`] = view(`${qkv}.bias`, part, reshaped(heads, d_head));
    start += heads * d_head;
  }
  return views;
}

export interface MlpNames {
  gate?: string;
  in: string;
  out: string;
}

export function mlpViews(config: ModelConfig, at: string, names: MlpNames, biased: boolean): Views {
  const views: Views = {};
  for (const [name, from] of [
    ["gate", config.gated ? names.gate : undefined],
    ["in", names.in],
    ["out", names.out],
  ] as const) {
    if (from === undefined) continue;
    views[`${at}.W_${name}`] = view(`${from}.weight`, turned);
    if (biased) views[`${at}.b_${name}`] = view(`${from}.bias`);
  }
  return views;
}

export function normViews(config: ModelConfig, at: string, from: string): Views {
  if (config.normalization === "none") return {};
  const bias = config.normalization === "LN" && config.biases?.norm !== false;
  return {
    [`${at}.w`]: view(`${from}.weight`),
    ...(bias ? { [`${at}.b`]: view(`${from}.bias`) } : {}),
  };
}

/** Embedding and unembedding; a tied one is the embedding turned. */
export function ends(
  config: ModelConfig,
  { embed, head = "lm_head" }: { embed: string; head?: string },
): Views {
  const from = config.tied ? embed : head;
  return {
    "embed.W_E": view(`${embed}.weight`),
    "unembed.W_U": view(`${from}.weight`, turned),
    ...(config.biases?.unembed === false ? {} : { "unembed.b_U": view(`${head}.bias`) }),
  };
}

/** The first of the prefixes under which the checkpoint has the tensor, with its dot. */
export function prefixOf(
  has: (tensor: string) => boolean,
  tensor: string,
  ...prefixes: readonly string[]
): string {
  return prefixes.find((prefix) => has(`${prefix}${tensor}`)) ?? prefixes[0]!;
}
