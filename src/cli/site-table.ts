// Which sites has a model, how wide are they, and why has it not the others?
import { type ModelConfig, site, siteShape, sites, sitesOf } from "../models/index.ts";

export interface SiteEntry {
  site: string;
  axes: string[];
  /** Numbers a token; of a site between two positions, numbers a pair of them. */
  width: number;
  available: boolean;
  reason?: string;
}

type Row = (typeof sites)[number];

function wiresOf({ n_layers }: ModelConfig, { name, perLayer }: Row): string[] {
  return perLayer ? Array.from({ length: n_layers }, (_, i) => site(name, i)) : [site(name)];
}

function widthOf(config: ModelConfig, wire: string): number {
  return siteShape(config, wire, { batch: 1, pos: 1 }).reduce((a, b) => a * b, 1);
}

/** Every site that any model has, layer by layer. */
export function siteEntries(config: ModelConfig): SiteEntry[] {
  const has = new Set(sitesOf(config));
  return sites.flatMap((row) =>
    wiresOf(config, row).map((wire) => {
      const available = has.has(wire);
      const reason = row.lacking?.(config) ?? "not in this layer";
      return {
        site: wire,
        axes: [...row.axes],
        width: available ? widthOf(config, wire) : 0,
        available,
        ...(available ? {} : { reason }),
      };
    }),
  );
}

/** The same for a terminal: one line a site, its layers as `*`, what is lacking below. */
export function siteTable(config: ModelConfig): string[] {
  const has = new Set(sitesOf(config));
  const cells = [["site", "axes", "width", "layers", "what"]];
  const lacking: [string, string][] = [];
  for (const row of sites) {
    const wires = wiresOf(config, row);
    const here = wires.flatMap((wire, layer) => (has.has(wire) ? [layer] : []));
    const name = row.perLayer ? `blocks.*.${row.hook}` : row.hook;
    if (here.length === 0) lacking.push([name, row.lacking?.(config) ?? "not in this model"]);
    else
      cells.push([
        name,
        row.axes.join(" × "),
        String(widthOf(config, wires[here[0]!]!)),
        row.perLayer ? stretches(here) : "",
        row.what,
      ]);
  }
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, i) => (i === 2 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  if (lacking.length === 0) return lines;
  const wide = Math.max(...lacking.map(([name]) => name.length));
  return [...lines, "", "not available", ...lacking.map(([n, why]) => `${n.padEnd(wide)}  ${why}`)];
}

/** `0–3, 5`. */
function stretches(layers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const layer of layers) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === layer - 1) last[1] = layer;
    else parts.push([layer, layer]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}
