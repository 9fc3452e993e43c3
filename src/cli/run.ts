// micrographia run: what a model makes of a prompt, read at any site, without and with interventions.
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Command } from "commander";
import { check, fail } from "../base/errors.ts";
import { readSafetensorsHeader } from "../formats/safetensors.ts";
import {
  ablate,
  type Intervention,
  openInterventions,
  parseInterventions,
  steer,
} from "../hooks/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { folderStore } from "../storage/folder.ts";
import { exit } from "./exit.ts";
import { number } from "./format.ts";
import { print } from "./job.ts";
import { findModel } from "./models.ts";
import { type CommonOptions, commonOptions, positive } from "./options.ts";
import { heatMap, sideBySide, strip, tokenLabel } from "./picture.ts";
import { type Effect, type RunReport, runReport, type SiteReport } from "./run-report.ts";

interface Options extends CommonOptions {
  prompt: string;
  site: string[];
  intervene?: string;
  ablate: string[];
  steer: string[];
  feed: string[];
  top: number;
}

const several = (text: string, before: string[]): string[] => [...before, text];

export function define(command: Command): Command {
  return commonOptions(command)
    .argument("<model>", "a bundled organism, one of the project folder, a folder, or a hub id")
    .requiredOption("--prompt <text>", "what it reads")
    .option(
      "--site <glob>",
      "where to look, e.g. blocks.*.attn.hook_pattern; may be repeated",
      several,
      [],
    )
    .option("--intervene <file>", "a JSON list of interventions")
    .option("--ablate <site>", "put zeros there; may be repeated", several, [])
    .option(
      "--steer <site:coef:file>",
      "add a direction, from .json or .safetensors[#tensor]",
      several,
      [],
    )
    .option("--feed <name=prompt>", "another prompt whose values interventions read", several, [])
    .option("--top <n>", "how many next tokens", positive, 5);
}

export async function run(reference: string, options: Options): Promise<number> {
  const { prompt, out, threads, top, seed, json } = options;
  const model = await findModel(reference, out);
  const interventions = await asked(options);
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

/** All that was asked for, in this order: the file, ablations, steers. */
async function asked({
  intervene,
  ablate: ablated,
  steer: steered,
}: Options): Promise<Intervention[]> {
  const list: Intervention[] = [];
  if (intervene !== undefined) {
    const text = await textOf(intervene);
    list.push(
      ...(await openInterventions(
        parseInterventions(text),
        folderStore(dirname(resolve(intervene))),
      )),
    );
  }
  list.push(...ablated.map((site) => ablate(site)));
  for (const text of steered) list.push(await steerOf(text));
  return list;
}

/** `SITE:COEF:FILE`, the file a JSON list of numbers or `.safetensors`, with `#TENSOR` where it has several. */
async function steerOf(text: string): Promise<Intervention> {
  const match = /^([^:]+):([^:]+):(.+)$/.exec(text);
  const coefficient = Number(match?.[2]);
  if (match === null || match[2]!.trim() === "" || !Number.isFinite(coefficient))
    return fail("option/unknown", "--steer takes a site, a coefficient and a file", {
      got: text,
      wanted: "e.g. blocks.0.hook_resid_post:2.5:direction.safetensors#happy",
    });
  const [path, named] = match[3]!.split("#") as [string, string?];
  if (!path.endsWith(".safetensors")) {
    let values: unknown;
    try {
      values = JSON.parse(await textOf(path));
    } catch (cause) {
      if ((cause as { code?: string }).code?.includes("/")) throw cause;
      fail("option/unknown", "a direction is a JSON list of numbers, or a .safetensors", {
        where: path,
        cause,
      });
    }
    return steer(match[1]!, { values: values as number[] }, coefficient);
  }
  const store = folderStore(dirname(resolve(path)));
  const file = basename(path);
  const names = [...(await readSafetensorsHeader(store, file)).entries.keys()];
  check(
    named !== undefined || names.length === 1,
    "option/unknown",
    "the file has several tensors",
    {
      where: path,
      got: names.slice(0, 8).join(", "),
      wanted: `${path}#${names[0]}`,
    },
  );
  const direction = { file, tensor: named ?? names[0]! };
  const [opened] = await openInterventions([steer(match[1]!, direction, coefficient)], store);
  return opened!;
}

function textOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause) =>
    fail("storage/missing", "this file cannot be read", { where: path, cause }),
  );
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
