// What does an architecture of llama.cpp say otherwise than a folder of the hub: settings, names, storage?
import { keyValueHeads, type ModelConfig } from "../config.ts";
import type { Family } from "../families/family.ts";
import { reshaped, sliced, transposed, type View, type ViewStep } from "../views.ts";

/** What a layout may ask a file for; what nobody asks for is refused. */
export interface GgufTold {
  /** By the key behind the architecture. */
  get(key: string): unknown;
  number(key: string): number | undefined;
  has(tensor: string): boolean;
  readonly n_layers: number;
  readonly n_heads: number;
  readonly d_model: number;
  readonly d_head: number;
}

export interface GgufLayout {
  /** `model_type` of a config.json. */
  readonly type: string;
  readonly gpt2?: boolean;
  /** What such a config.json always says. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Key of the metadata, behind the architecture → key of config.json. */
  readonly keys: Readonly<Record<string, string>>;
  /** Those of them that llama.cpp has a value for. */
  readonly optional: readonly string[];
  /** Keys that change nothing that is computed. */
  readonly ignored: readonly string[];
  /** Setting → the tensor that tells it. */
  readonly biases?: Readonly<Record<string, string>>;
  /** What has to be worked out. */
  readonly more?: (told: GgufTold) => Readonly<Record<string, unknown>>;
  /** Names on the hub → names in GGUF. */
  readonly names: Readonly<Record<string, string>>;
  /** Names on the hub, `N` for a layer. */
  readonly layers: { readonly prefix: string; readonly names: Readonly<Record<string, string>> };
  /** Rows of queries and keys stand so that neighbours turn together, not halves. */
  readonly permuted?: boolean;
  /** Heads may have another size than d_model / n_heads. */
  readonly headDim?: boolean;
  /** Norms stand there as what is multiplied with: 1 was added to them. */
  readonly wholeNorms?: boolean;
  /** Queries of all heads, keys, values; on the hub head by head (GPT-NeoX). */
  readonly headsApart?: boolean;
}

/** `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`; undefined: it has none. */
export function ggufName({ names, layers }: GgufLayout, name: string): string | undefined {
  const [, stem, end] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  if (stem === undefined) return undefined;
  const plain = names[stem];
  if (plain !== undefined) return `${plain}.${end}`;
  if (!stem.startsWith(layers.prefix)) return undefined;
  const [, layer, part] = /^(\d+)\.(.*)$/.exec(stem.slice(layers.prefix.length)) ?? [];
  const found = layers.names[part ?? ""];
  return found === undefined ? undefined : `blk.${layer}.${found}.${end}`;
}

/** The config of these weights: the family's, but for norms to which 1 was added already. */
export function ggufConfig(layout: GgufLayout, config: ModelConfig): ModelConfig {
  if (layout.wholeNorms !== true) return config;
  const { norm_offset: _, ...rest } = config;
  return rest;
}

/** The family's views of a checkpoint of the hub, seen through the names and layout of GGUF. */
export function ggufViews(
  family: Family,
  layout: GgufLayout,
  config: ModelConfig,
  has: (tensor: string) => boolean,
): Record<string, View> {
  const named = (name: string): string => ggufName(layout, name) ?? name;
  const views = family.weights(config, (name) => has(named(name)));
  return Object.fromEntries(
    Object.entries(views).map(([weight, { tensor, steps }]) => {
      const name = named(tensor);
      const from = has(name)
        ? { tensor: name, steps: [] }
        : (partOfStack(config, name, has) ?? { tensor: name, steps: [] });
      const all = slicesFirst([...from.steps, ...stepsToHub(layout, config, name), ...steps]);
      return [weight, { tensor: from.tensor, steps: all }];
    }),
  );
}

/** Queries, keys and values may stand in one tensor, one after another. */
function partOfStack(
  config: ModelConfig,
  name: string,
  has: (tensor: string) => boolean,
): View | undefined {
  const [, layer, part, end] = /^(blk\.\d+)\.attn_([qkv])\.(weight|bias)$/.exec(name) ?? [];
  const tensor = `${layer}.attn_qkv.${end}`;
  if (part === undefined || !has(tensor)) return undefined;
  const { n_heads, d_head } = config;
  const kv = keyValueHeads(config);
  const start = { q: 0, k: n_heads, v: n_heads + kv }[part]!;
  const heads = part === "q" ? n_heads : kv;
  return { tensor, steps: [sliced(0, start * d_head, (start + heads) * d_head)] };
}

/** From the tensor of the GGUF file to the one that the hub has. */
function stepsToHub(layout: GgufLayout, config: ModelConfig, name: string): ViewStep[] {
  const { n_heads, d_head, d_model } = config;
  // GPT-2 keeps its products as [in, out]; llama.cpp all as [out, in].
  if (layout.gpt2 && /^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name))
    return [transposed(1, 0)];
  const stack = /\.attn_qkv\.(weight|bias)$/.exec(name);
  if (layout.headsApart === true && stack !== null) {
    // [which of three, head, …] → [head, which of three, …]
    const rest = stack[1] === "weight" ? [d_model] : [];
    return [
      reshaped(3, n_heads, d_head, ...rest),
      transposed(1, 0, 2, ...rest.map(() => 3)),
      reshaped(3 * n_heads * d_head, ...rest),
    ];
  }
  const [, part, end] = /\.attn_([qk])\.(weight|bias)$/.exec(name) ?? [];
  if (layout.permuted !== true || part === undefined) return [];
  const heads = part === "q" ? n_heads : keyValueHeads(config);
  // [head, pair, which of two, …] → [head, which half, place in it, …]
  return end === "weight"
    ? [
        reshaped(heads, d_head / 2, 2, d_model),
        transposed(0, 2, 1, 3),
        reshaped(heads * d_head, d_model),
      ]
    : [reshaped(heads, d_head / 2, 2), transposed(0, 2, 1), reshaped(heads * d_head)];
}

/** A part of what was turned is the turned part: so the rest of the tensor is never read. */
function slicesFirst(steps: readonly ViewStep[]): ViewStep[] {
  const [first, second, ...rest] = steps;
  if (first?.kind !== "transpose" || second?.kind !== "slice") return [...steps];
  return [{ ...second, axis: first.perm[second.axis]! }, first, ...rest];
}
