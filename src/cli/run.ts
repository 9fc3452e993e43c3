// micrographia run: what a model makes of a prompt, read at any site, without and with interventions.
import type { Command } from "commander";
import { check } from "../base/errors.ts";
import { ortBackend } from "../runtime/index.ts";
import { exit } from "./exit.ts";
import { number } from "./format.ts";
import {
  askedInterventions,
  type InterventionOptions,
  interventionOptions,
  several,
} from "./interventions.ts";
import { print } from "./job.ts";
import { findModel, type ModelOptions, modelArgument, modelOptions } from "./models.ts";
import { type CommonOptions, commonOptions, positive } from "./options.ts";
import { heatMap, sideBySide, strip, tokenLabel } from "./picture.ts";
import { type Effect, type RunReport, runReport, type SiteReport } from "./run-report.ts";

interface Options extends CommonOptions, InterventionOptions, ModelOptions {
  prompt: string;
  site: string[];
  feed: string[];
  top: number;
}

export function define(command: Command): Command {
  const described = modelOptions(commonOptions(command))
    .argument("<model>", modelArgument)
    .requiredOption("--prompt <text>", "what it reads")
    .option(
      "--site <glob>",
      "where to look, e.g. blocks.*.attn.hook_pattern; may be repeated",
      several,
      [],
    );
  return interventionOptions(described)
    .option("--feed <name=prompt>", "another prompt whose values interventions read", several, [])
    .option("--top <n>", "how many next tokens", positive, 5);
}

export async function run(reference: string, options: Options): Promise<number> {
  const { prompt, threads, top, seed, json } = options;
  const model = await findModel(reference, options);
  const interventions = await askedInterventions(options);
  const backend = ortBackend({ threads });
  try {
    const report = await runReport(model, backend, {
      prompt,
      sites: options.site.length > 0 ? options.site : json ? [] : ["resid_post"],
      interventions,
      prompts: Object.fromEntries(options.feed.map(split)),
      top,
      seed,
    });
    await print(
      json ? JSON.stringify(report) : pictures(report, process.stdout.columns || 100).join("\n"),
    );
    return exit.done;
  } finally {
    await backend.release();
  }
}

function split(text: string): [string, string] {
  const at = text.indexOf("=");
  check(at > 0, "option/unknown", "--feed takes a name and a prompt", {
    got: text,
    wanted: "--feed other='The cat'",
  });
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The report as lines for a terminal of so many columns. */
export function pictures(report: RunReport, width: number): string[] {
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
    lines.push("", ...sitePicture(site, one, labels, width));
  return lines;
}

function effectLine(label: string, { kl, dCE, turned }: Effect): string {
  const cells = [number(kl), `${dCE >= 0 ? "+" : ""}${number(dCE)}`, number(turned)];
  return `${label.padEnd(12)}${cells.map((cell) => cell.padStart(8)).join("")}`;
}

function sitePicture(
  site: string,
  { norms, pattern }: SiteReport,
  labels: string[],
  width: number,
): string[] {
  if (norms !== undefined) {
    const range = (values: readonly number[]) =>
      `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
    const rows = [{ label: "norm", values: norms.clean }];
    if (norms.changed) rows.push({ label: "  with", values: norms.changed });
    const said = [range(norms.clean), ...(norms.changed ? [`with ${range(norms.changed)}`] : [])];
    return [`${site}   ${said.join(", ")}`, ...strip(labels, rows, width)];
  }
  const { clean, changed } = pattern!;
  // Scores have no fixed scale: each head is drawn from 0 to its largest.
  const isPattern = site.endsWith("hook_pattern");
  const drawn = (matrix: number[][]) =>
    heatMap(matrix, isPattern ? 1 : Math.max(1e-9, ...matrix.flat().filter(Number.isFinite)));
  const maps = clean.flatMap((matrix, head) => {
    const own = { title: `head ${head}`, lines: drawn(matrix) };
    return changed ? [own, { title: `head ${head} with`, lines: drawn(changed[head]!) }] : [own];
  });
  return [`${site}   queries down, keys across`, ...sideBySide(maps, width)];
}
