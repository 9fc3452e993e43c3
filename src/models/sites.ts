// Where is a site in a model: its string, its shape, and the reason where it is not there.
import { check, fail } from "../base/errors.ts";
import { keyValueHeads, type ModelConfig } from "./config.ts";
import { type Axis, type SiteRow, sites } from "./site-table.ts";

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
  const has = inOrder(config).filter((row) => row.perLayer || row.lacking?.(config) === undefined);
  const first = has.findIndex((row) => row.perLayer);
  const last = has.findLastIndex((row) => row.perLayer);
  const layers = Array.from({ length: config.n_layers }, (_, layer) => layer);
  return [
    ...has.slice(0, first).map((row) => row.hook),
    ...layers.flatMap((l) =>
      has
        .slice(first, last + 1)
        .filter((row) => row.lacking?.(config, l) === undefined)
        .map((row) => site(row.name, l)),
    ),
    ...has.slice(last + 1).map((row) => row.hook),
  ];
}

/**
 * Where only what is written passes a norm, ln1 and ln2 come after their sublayers, or after the
 * stream that they norm.
 */
function inOrder({ norm_placement, stream_norm }: ModelConfig): readonly SiteRow[] {
  if (norm_placement !== "post") return sites;
  const isNorm = (n: string) => (row: SiteRow) => row.hook.startsWith(`${n}.`);
  const rest = sites.filter((row) => !isNorm("ln1")(row) && !isNorm("ln2")(row));
  const [first, second] = stream_norm ? ["resid_mid", "resid_post"] : ["result", "mlp_post"];
  return rest.flatMap((row) => {
    if (row.name === first) return [row, ...sites.filter(isNorm("ln1"))];
    return row.name === second ? [row, ...sites.filter(isNorm("ln2"))] : [row];
  });
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
  const layer = match === null ? undefined : Number(match[1]);
  check(
    layer === undefined || layer < config.n_layers,
    "site/unavailable",
    `${config.name} has no layer ${layer}`,
    { got: wire, wanted: `blocks.0 to blocks.${config.n_layers - 1}` },
  );
  const reason = row.lacking?.(config, layer);
  // The names that look alike cost more than all the rest: they are sought only when they are told.
  if (reason !== undefined)
    fail("site/unavailable", `${config.name} has no ${wire}: ${reason}`, {
      got: wire,
      wanted: nearest(wire, sitesOf(config)).join(", "),
    });
  if (layer !== undefined) return { row, layer };
  return { row: row.name === "embed" && config.encoder?.image ? patchEmbed(row) : row };
}

/** Patches are embedded before the class token is put in front of them. */
function patchEmbed(row: SiteRow): SiteRow {
  return { ...row, axes: ["batch", "patch", "d_model"], what: "embedding of the patches" };
}

/** The shape of a site's value for `batch` rows of `pos` tokens. */
export function siteShape(
  config: ModelConfig,
  wire: string,
  { batch, pos }: { batch: number; pos: number },
): number[] {
  const { d_model, d_head, d_mlp, n_heads, experts: mixture } = config;
  const kv = keyValueHeads(config);
  const whole = config.qk_norm === "whole";
  const lengths: Record<Axis, number> = {
    batch,
    pos,
    query: pos,
    key: pos,
    patch: pos - 1,
    head: n_heads,
    key_head: kv,
    expert: mixture?.n_experts ?? 0,
    q_norms: whole ? 1 : n_heads,
    k_norms: whole ? 1 : kv,
    q_norm_width: whole ? n_heads * d_head : d_head,
    k_norm_width: whole ? kv * d_head : d_head,
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
  const perToken = axes[0] === "batch" && (axes[1] === "pos" || axes[1] === "patch");
  check(perToken, "site/axes", `${wire} has no value per token`, {
    got: axes.join(", "),
    wanted: "batch, pos, …",
  });
  return siteShape(config, wire, { batch: 1, pos: axes[1] === "patch" ? 2 : 1 }).reduce(
    (a, b) => a * b,
    1,
  );
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
