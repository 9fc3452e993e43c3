// Which places in a model have a name: the table that captures, interventions and importers share.
import { check, fail } from "../base/errors.ts";
import type { ModelConfig } from "./config.ts";

/** Lengths that an axis can have; `batch` and `pos` depend on what is run. */
export type Axis =
  | "batch"
  | "pos"
  | "query"
  | "key"
  | "head"
  | "d_model"
  | "d_head"
  | "d_mlp"
  | "one";

export interface SiteRow {
  /** Our short name: `site("resid_post", 5)`. */
  readonly name: string;
  /** The TransformerLens string below `blocks.N.`, or on its own when not per layer. */
  readonly hook: string;
  readonly perLayer: boolean;
  readonly axes: readonly Axis[];
  readonly what: string;
  /** Why a model with this config does not have it; absent where every model does. */
  readonly lacking?: (config: ModelConfig) => string | undefined;
}

const resid: readonly Axis[] = ["batch", "pos", "d_model"];
const heads: readonly Axis[] = ["batch", "pos", "head", "d_head"];
const scores: readonly Axis[] = ["batch", "head", "query", "key"];
const mlp: readonly Axis[] = ["batch", "pos", "d_mlp"];
const scale: readonly Axis[] = ["batch", "pos", "one"];
const lacking = ({ normalization }: ModelConfig) =>
  normalization === "none" ? "this model has no layer norm" : undefined;

/** In the order of the forward pass. */
export const sites: readonly SiteRow[] = [
  { name: "embed", hook: "hook_embed", perLayer: false, axes: resid, what: "token embedding" },
  {
    name: "pos_embed",
    hook: "hook_pos_embed",
    perLayer: false,
    axes: resid,
    what: "position embedding",
  },
  {
    name: "resid_pre",
    hook: "hook_resid_pre",
    perLayer: true,
    axes: resid,
    what: "residual stream before the block",
  },
  {
    name: "ln1_scale",
    hook: "ln1.hook_scale",
    perLayer: true,
    axes: scale,
    lacking,
    what: "standard deviation divided by before attention",
  },
  {
    name: "ln1_normalized",
    hook: "ln1.hook_normalized",
    perLayer: true,
    axes: resid,
    lacking,
    what: "what attention reads, before weight and bias of the norm",
  },
  { name: "q", hook: "attn.hook_q", perLayer: true, axes: heads, what: "queries" },
  { name: "k", hook: "attn.hook_k", perLayer: true, axes: heads, what: "keys" },
  { name: "v", hook: "attn.hook_v", perLayer: true, axes: heads, what: "values" },
  {
    name: "attn_scores",
    hook: "attn.hook_attn_scores",
    perLayer: true,
    axes: scores,
    what: "attention scores, −∞ where masked",
  },
  {
    name: "pattern",
    hook: "attn.hook_pattern",
    perLayer: true,
    axes: scores,
    what: "attention pattern: each query's weights over keys",
  },
  {
    name: "z",
    hook: "attn.hook_z",
    perLayer: true,
    axes: heads,
    what: "values mixed by the pattern",
  },
  {
    name: "result",
    hook: "attn.hook_result",
    perLayer: true,
    axes: ["batch", "pos", "head", "d_model"],
    what: "what each head writes to the residual stream",
  },
  {
    name: "attn_out",
    hook: "hook_attn_out",
    perLayer: true,
    axes: resid,
    what: "what attention writes",
  },
  {
    name: "resid_mid",
    hook: "hook_resid_mid",
    perLayer: true,
    axes: resid,
    what: "residual stream between attention and MLP",
  },
  {
    name: "ln2_scale",
    hook: "ln2.hook_scale",
    perLayer: true,
    axes: scale,
    lacking,
    what: "standard deviation divided by before the MLP",
  },
  {
    name: "ln2_normalized",
    hook: "ln2.hook_normalized",
    perLayer: true,
    axes: resid,
    lacking,
    what: "what the MLP reads, before weight and bias of the norm",
  },
  {
    name: "mlp_pre",
    hook: "mlp.hook_pre",
    perLayer: true,
    axes: mlp,
    what: "neurons before the activation function",
  },
  { name: "mlp_post", hook: "mlp.hook_post", perLayer: true, axes: mlp, what: "neurons" },
  {
    name: "mlp_out",
    hook: "hook_mlp_out",
    perLayer: true,
    axes: resid,
    what: "what the MLP writes",
  },
  {
    name: "resid_post",
    hook: "hook_resid_post",
    perLayer: true,
    axes: resid,
    what: "residual stream after the block",
  },
  {
    name: "ln_final_scale",
    hook: "ln_final.hook_scale",
    perLayer: false,
    axes: scale,
    lacking,
    what: "standard deviation divided by before the unembedding",
  },
  {
    name: "ln_final_normalized",
    hook: "ln_final.hook_normalized",
    perLayer: false,
    axes: resid,
    lacking,
    what: "what the unembedding reads, before weight and bias of the norm",
  },
];

/** `site("mlp_post", 0)` → `blocks.0.mlp.hook_post`: the string on disk, in URLs and in caches. */
export function site(name: string, layer?: number): string {
  const row = sites.find((s) => s.name === name);
  if (row === undefined)
    fail("site/unknown", `there is no site ${name}`, {
      got: name,
      wanted: nearest(
        name,
        sites.map((s) => s.name),
      ).join(", "),
    });
  check(
    row.perLayer === (layer !== undefined),
    "site/layer",
    row.perLayer ? `${name} exists once a layer` : `${name} belongs to no layer`,
    { got: layer, wanted: row.perLayer ? `site("${name}", 0)` : `site("${name}")` },
  );
  return row.perLayer ? `blocks.${layer}.${row.hook}` : row.hook;
}

/** Every site that a model has, in the order of the forward pass. */
export function sitesOf(config: ModelConfig): string[] {
  const has = sites.filter((row) => row.lacking?.(config) === undefined);
  const first = has.findIndex((row) => row.perLayer);
  const last = has.findLastIndex((row) => row.perLayer);
  const layers = Array.from({ length: config.n_layers }, (_, layer) => layer);
  return [
    ...has.slice(0, first).map((row) => row.hook),
    ...layers.flatMap((l) => has.slice(first, last + 1).map((row) => site(row.name, l))),
    ...has.slice(last + 1).map((row) => row.hook),
  ];
}

export interface SiteInfo {
  readonly row: SiteRow;
  readonly layer?: number;
}

/** The row of a site's string, or `site/unknown` and `site/unavailable` with the reason. */
export function findSite(config: ModelConfig, wire: string): SiteInfo {
  const match = /^blocks\.(\d+)\.(.+)$/.exec(wire);
  const hook = match?.[2] ?? wire;
  const row = sites.find((s) => s.hook === hook && s.perLayer === (match !== null));
  if (row === undefined)
    fail("site/unknown", `the model has no site ${wire}`, {
      got: wire,
      wanted: nearest(wire, sitesOf(config)).join(", "),
    });
  const reason = row.lacking?.(config);
  check(reason === undefined, "site/unavailable", `${config.name} has no ${wire}: ${reason}`, {
    got: wire,
    wanted: nearest(wire, sitesOf(config)).join(", "),
  });
  if (match === null) return { row };
  const layer = Number(match[1]);
  check(layer < config.n_layers, "site/unavailable", `${config.name} has no layer ${layer}`, {
    got: wire,
    wanted: `blocks.0 to blocks.${config.n_layers - 1}`,
  });
  return { row, layer };
}

/** The shape of a site's value for `batch` rows of `pos` tokens. */
export function siteShape(
  config: ModelConfig,
  wire: string,
  { batch, pos }: { batch: number; pos: number },
): number[] {
  const { d_model, d_head, d_mlp, n_heads } = config;
  const lengths: Record<Axis, number> = {
    batch,
    pos,
    query: pos,
    key: pos,
    head: n_heads,
    d_model,
    d_head,
    d_mlp,
    one: 1,
  };
  return findSite(config, wire).row.axes.map((axis) => lengths[axis]);
}

/** Numbers a site holds per token: the width that dictionaries learn on. Refuses scores. */
export function siteWidth(config: ModelConfig, wire: string): number {
  const { axes } = findSite(config, wire).row;
  check(axes[0] === "batch" && axes[1] === "pos", "site/axes", `${wire} has no value per token`, {
    got: axes.join(", "),
    wanted: "batch, pos, …",
  });
  return siteShape(config, wire, { batch: 1, pos: 1 }).reduce((a, b) => a * b, 1);
}

/** The three names that look most like this one, by shared pairs of letters. */
function nearest(name: string, among: readonly string[]): string[] {
  const pairs = (text: string) => new Set(Array.from(text, (_, i) => text.slice(i, i + 2)));
  const own = pairs(name);
  const likeness = (other: string): number => {
    const theirs = pairs(other);
    return [...own].filter((p) => theirs.has(p)).length / (own.size + theirs.size);
  };
  return [...among].sort((a, b) => likeness(b) - likeness(a)).slice(0, 3);
}
