// Which sites does a pattern name: a site string, a glob of them, or the short name of one in every layer?
import { check, fail } from "../base/errors.ts";
import {
  findSite,
  type ModelConfig,
  type SiteInfo,
  site,
  siteShape,
  sites,
  sitesOf,
} from "../models/index.ts";
import { indices, type Where } from "./where.ts";

interface Known {
  readonly all: readonly string[];
  readonly found: Map<string, string[]>;
  readonly shapes: Map<string, SiteAt>;
}

const known = new WeakMap<ModelConfig, Known>();

// Looking sites up takes longer than the rest of planning, and the answers do not change.
function knownOf(config: ModelConfig): Known {
  let memo = known.get(config);
  if (memo === undefined) {
    memo = { all: sitesOf(config), found: new Map(), shapes: new Map() };
    known.set(config, memo);
  }
  for (const map of [memo.found, memo.shapes]) if (map.size > 4096) map.clear();
  return memo;
}

export interface SiteAt extends SiteInfo {
  readonly shape: readonly number[];
}

/** A site's row, layer, and the shape of its value. Errors as `findSite`. */
export function siteAt(
  config: ModelConfig,
  wire: string,
  { batch, pos }: { batch: number; pos: number },
): SiteAt {
  const { shapes } = knownOf(config);
  const key = `${wire} ${batch} ${pos}`;
  let made = shapes.get(key);
  if (made === undefined) {
    made = { ...findSite(config, wire), shape: siteShape(config, wire, { batch, pos }) };
    shapes.set(key, made);
  }
  return made;
}

/**
 * Site strings in the order of the forward pass. `*` stands for anything but a dot, `**` for
 * anything, `?` for one character, `{a,b}` for either. Refuses what names nothing, with the reason:
 * `site/unknown`, `site/unavailable`, `site/layer`.
 */
export function matchSites(
  config: ModelConfig,
  patterns: Where["sites"],
  layers?: Where["layers"],
): string[] {
  const memo = knownOf(config);
  const key = JSON.stringify([patterns, layers]);
  const before = memo.found.get(key);
  if (before !== undefined) return before;
  const inLayers = indices(layers, config.n_layers, { code: "site/layer", what: "layer" });
  const found = new Set([patterns].flat().flatMap((one) => matchOne(config, memo.all, one)));
  const made = memo.all.filter((wire) => {
    if (!found.has(wire)) return false;
    return inLayers === undefined || inLayers.includes(findSite(config, wire).layer ?? -1);
  });
  for (const layer of inLayers ?? [])
    check(
      made.some((wire) => findSite(config, wire).layer === layer),
      "site/layer",
      `${[patterns].flat().join(", ")} has no site in layer ${layer}`,
      { got: layer, wanted: "a layer that the pattern names" },
    );
  memo.found.set(key, made);
  return made;
}

function matchOne(config: ModelConfig, all: readonly string[], pattern: string): string[] {
  const row = sites.find(({ name }) => name === pattern);
  if (row !== undefined) return everyLayer(config, row, all);
  if (!/[*?{]/.test(pattern)) {
    findSite(config, pattern);
    return [pattern];
  }
  const glob = globExpression(pattern);
  const hits = all.filter((wire) => glob.test(wire));
  if (hits.length > 0) return hits;
  // A site that other models have is refused with the reason.
  for (const one of sites)
    for (const wire of wires(config, one)) if (glob.test(wire)) findSite(config, wire);
  return fail("site/unknown", `no site of the model matches ${pattern}`, {
    got: pattern,
    wanted: `a glob of sites such as ${all[Math.floor(all.length / 2)]}`,
  });
}

type Row = (typeof sites)[number];

function wires({ n_layers }: ModelConfig, { name, perLayer }: Row): string[] {
  return perLayer
    ? Array.from({ length: n_layers }, (_, layer) => site(name, layer))
    : [site(name)];
}

/** A short name: the site in every layer that has it, refused where none has. */
function everyLayer(config: ModelConfig, row: Row, all: readonly string[]): string[] {
  const named = wires(config, row);
  const has = named.filter((wire) => all.includes(wire));
  if (has.length === 0) findSite(config, named[0]!);
  return has;
}

function globExpression(pattern: string): RegExp {
  let depth = 0;
  const source = pattern.replace(/\*\*|[\s\S]/g, (part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^.]*";
    if (part === "?") return "[^.]";
    if (part === "{") {
      depth += 1;
      return "(?:";
    }
    if (part === "}" && depth > 0) {
      depth -= 1;
      return ")";
    }
    if (part === "," && depth > 0) return "|";
    return part.replace(/[.+^$()|[\]\\}]/, "\\$&");
  });
  check(depth === 0, "site/unknown", "a glob has a brace that is never closed", { got: pattern });
  return new RegExp(`^${source}$`);
}
