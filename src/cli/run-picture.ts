// How does the report of a run look on a terminal: next tokens, losses, effects beside controls, sites?
import { number } from "./format.ts";
import type { Ink, Screen } from "./ink.ts";
import { heatMap, sideBySide, strip, tokenLabel } from "./picture.ts";
import type { Effect, RunReport, SiteReport } from "./run-report.ts";

/** The report as lines for a terminal of so many columns. */
export function pictures(report: RunReport, screen: Screen): string[] {
  const { width } = screen;
  const { model, tokens, interventions, hash, next, loss, effect, control, sites } = report;
  const labels = tokens.map(tokenLabel);
  const numbers = (values: readonly (number | null)[]) => values.map((x) => x ?? Number.NaN);
  const title = [`${model}: ${tokens.length} tokens`];
  if (hash !== null) title.push(`${interventions.length} interventions ${hash.slice(0, 12)}`);
  const wide = Math.max(10, ...next.map((one) => tokenLabel(one).length));
  const lines = [
    title.join(", "),
    "",
    `${"next token".padEnd(wide)}   clean${effect ? "    with" : ""}`,
  ];
  for (const one of next) {
    const cells = [one.clean, one.changed].flatMap((p) =>
      p === undefined ? [] : [number(p).padStart(8)],
    );
    lines.push(`${tokenLabel(one).padEnd(wide)}${cells.join("")}`);
  }
  if (effect !== null) {
    lines.push("", "                  KL     ΔCE  turned   (nats, nats, share of positions)");
    lines.push(effectLine("effect", effect));
    if (control !== null) {
      const { directions, mean, least, most } = control;
      lines.push(effectLine("control", mean));
      lines.push(effectLine("  least", least), effectLine("  most", most));
      lines.push(`  control: ${directions} random directions of the same norm`);
    }
  }
  const lossRows = [{ label: "loss", values: numbers(loss.clean) }];
  if (loss.changed) lossRows.push({ label: "  with", values: numbers(loss.changed) });
  lines.push("", ...strip(labels, lossRows, width));
  if (effect !== null)
    lines.push("", ...strip(labels, [{ label: "KL", values: effect.kl_at }], width));
  for (const [site, one] of Object.entries(sites))
    lines.push("", ...sitePicture(site, one, labels, screen));
  return lines;
}

function effectLine(label: string, { kl, dCE, turned }: Effect): string {
  const cells = [number(kl), `${dCE >= 0 ? "+" : ""}${number(dCE)}`, number(turned)];
  return `${label.padEnd(12)}${cells.map((cell) => cell.padStart(8)).join("")}`;
}

/** A site's value along the tokens, or where each head looks. */
export function sitePicture(
  site: string,
  { norms, pattern }: SiteReport,
  labels: readonly string[],
  { width, ink }: Screen,
  { causal = true, columns }: { causal?: boolean; columns?: number } = {},
): string[] {
  if (norms !== undefined) {
    const range = (values: readonly number[]) =>
      `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
    const rows = [{ label: "norm", values: norms.clean }];
    if (norms.changed) rows.push({ label: "  with", values: norms.changed });
    const said = [range(norms.clean), ...(norms.changed ? [`with ${range(norms.changed)}`] : [])];
    const title = `${site}   ${said.join(", ")}`;
    return [
      title,
      ...(columns === undefined ? strip(labels, rows, width) : grid(norms.clean, columns, ink)),
    ];
  }
  const { clean, changed } = pattern!;
  // Scores have no fixed scale: each head is drawn from 0 to its largest.
  const isPattern = site.endsWith("hook_pattern");
  const drawn = (matrix: number[][]) => {
    const top = isPattern ? 1 : Math.max(1e-9, ...matrix.flat().filter(Number.isFinite));
    return heatMap(matrix, { top, ink, causal });
  };
  const maps = clean.flatMap((matrix, head) => {
    const own = { title: `head ${head}`, lines: drawn(matrix) };
    return changed ? [own, { title: `head ${head} with`, lines: drawn(changed[head]!) }] : [own];
  });
  return [`${site}   queries down, keys across`, ...sideBySide(maps, width)];
}

/** Values of an image's patches as they lie; where there is one more, the class token's comes first. */
function grid(values: readonly number[], columns: number, ink: Ink): string[] {
  const classes = values.length % columns;
  const patches = values.slice(classes);
  const top = Math.max(1e-12, ...patches);
  return [
    ...(classes === 0 ? [] : [`class ${number(values[0]!)}; patches, from 0 to ${number(top)}:`]),
    ...Array.from({ length: patches.length / columns }, (_, row) =>
      patches
        .slice(row * columns, (row + 1) * columns)
        .map((x) => ink.cell(x / top))
        .join(""),
    ),
  ];
}
