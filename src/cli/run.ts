// micrographia run: what a model makes of a prompt, read at any site, without and with interventions.
import type { Command } from "commander";
import { check } from "../base/errors.ts";
import type { Progress } from "../base/progress.ts";
import type { Intervention } from "../hooks/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { exit } from "./exit.ts";
import { type Screen, screenOf } from "./ink.ts";
import {
  askedInterventions,
  type InterventionOptions,
  interventionOptions,
  several,
} from "./interventions.ts";
import { print } from "./job.ts";
import {
  findModel,
  type ModelOptions,
  modelArgument,
  modelOptions,
  towerOption,
} from "./models.ts";
import { type CommonOptions, commonOptions, positive } from "./options.ts";
import { tokenLabel } from "./picture.ts";
import { encoderLines, encoderReport } from "./read-encoder.ts";
import { readImage } from "./read-image.ts";
import { type ReadOptions, readPrompt, type Session } from "./read-session.ts";
import { askedReadings, readingOptions } from "./readings.ts";
import { pictures, sitePicture } from "./run-picture.ts";
import { runReport } from "./run-report.ts";

interface Options extends CommonOptions, InterventionOptions, ModelOptions, ReadOptions {
  prompt?: string;
  pixels?: string;
  site?: string[];
  feed?: string[];
}

/** Readings that need no prompt. */
const withoutPrompt = ["heads", "circuits", "composition", "probe"];
/** Long work says every so often where it is. */
const saidEvery = 10_000;

export function define(command: Command): Command {
  const described = modelOptions(commonOptions(command))
    .argument("<model>", modelArgument)
    .optionsGroup("What is read, and where:")
    .option("--prompt <text>", "what it reads; token ids where a model has no tokenizer")
    .option("--pixels <file>", "an image, ready for the model: .npy, or .safetensors[#tensor]")
    .addOption(towerOption())
    .option(
      "--site <glob>",
      "where to look, e.g. blocks.*.attn.hook_pattern; may be repeated",
      several,
    )
    .option("--top <n>", "how many next tokens", positive, 5);
  return interventionOptions(readingOptions(described)).option(
    "--feed <name=prompt>",
    "another prompt whose values interventions read",
    several,
  );
}

export async function run(reference: string, options: Options): Promise<number> {
  const asked = askedReadings(options);
  const needless = asked.every(({ name }) => withoutPrompt.includes(name));
  check(
    options.prompt !== undefined || options.pixels !== undefined || (asked.length > 0 && needless),
    "option/unknown",
    "there is nothing to read",
    { wanted: "--prompt TEXT" },
  );
  check(
    options.corrupt !== undefined || !(options.paths || options.patch !== undefined),
    "option/unknown",
    "patching takes its values from another prompt",
    { wanted: "--corrupt PROMPT" },
  );
  const model = await findModel(reference, options);
  const interventions = await askedInterventions(options);
  check(
    asked.length === 0 || interventions.length === 0,
    "option/unknown",
    `--${asked[0]?.name} reads the model as it is`,
    {
      wanted: "no --intervene, --ablate and --steer beside it",
      hint: "--site reads what they change",
    },
  );
  const backend = ortBackend({ threads: options.threads });
  try {
    const isImage = model.config.encoder?.image !== undefined;
    check(!isImage || options.pixels !== undefined, "option/unknown", "this model reads images", {
      where: model.config.name,
      wanted: "--pixels FILE",
    });
    const session: Session = {
      model,
      backend,
      ...(options.prompt !== undefined &&
        !isImage && { prompt: readPrompt(model, options.prompt) }),
      ...(options.pixels !== undefined && { image: await readImage(model, options.pixels) }),
      options,
      context: options.quiet ? {} : { onProgress: progress() },
    };
    const screen = screenOf(process.stdout);
    const read: { name: string; report: unknown; lines: string[] }[] = [];
    for (const reading of asked) {
      checkReading(session, reading.name);
      const report = await reading.read(session);
      read.push({
        name: reading.name,
        report,
        lines: options.json ? [] : reading.lines(report, screen),
      });
    }
    // What was not asked for is not shown beside what was.
    const isPlain = asked.length === 0 || options.site !== undefined;
    const whole =
      isPlain || options.json ? await wholeReport(session, options, interventions) : undefined;
    if (options.json) {
      const found = Object.fromEntries(read.map(({ name, report }) => [name, report]));
      await print(
        JSON.stringify({ ...whole!.report, ...(read.length > 0 && { readings: found }) }),
      );
      return exit.done;
    }
    const n = session.image ? undefined : session.prompt?.ids.length;
    const title = n === undefined ? model.config.name : `${model.config.name}: ${n} tokens`;
    const blocks = [whole?.lines(screen) ?? [title], ...read.map(({ lines }) => lines)];
    await print(blocks.map((lines) => lines.join("\n")).join("\n\n"));
    return exit.done;
  } finally {
    await backend.release();
  }
}

function progress(): (now: Progress) => void {
  let said = Date.now();
  return ({ stage, done, total, unit }) => {
    if (Date.now() - said < saidEvery) return;
    said = Date.now();
    process.stderr.write(`${stage}: ${done} of ${total} ${unit}\n`);
  };
}

interface Whole {
  report: object;
  lines(screen: Screen): string[];
}

/** What is said without any reading: of a decoder, of an encoder, or the model's name alone. */
async function wholeReport(
  { model, backend, prompt, image }: Session,
  { prompt: text, site: asked, feed = [], top, seed, json }: Options,
  interventions: readonly Intervention[],
): Promise<Whole> {
  const { encoder, name } = model.config;
  const sites = asked ?? (json ? [] : ["resid_post"]);
  if (encoder !== undefined && (prompt ?? image) !== undefined) {
    const asked = { prompt, image, sites, interventions, top, seed };
    const report = await encoderReport(model, backend, asked);
    const drawn = {
      causal: encoder.causal === true,
      ...(image && { columns: image.grid[1] }),
    };
    const labels = report.tokens.map(tokenLabel);
    const lines = (screen: Screen) => [
      ...encoderLines(report),
      ...Object.entries(report.sites).flatMap(([site, one]) => [
        "",
        ...sitePicture(site, one, labels, screen, drawn),
      ]),
    ];
    return { report, lines };
  }
  if (text === undefined) return { report: { model: name }, lines: () => [] };
  const prompts = Object.fromEntries(feed.map(split));
  const run = { prompt: text, sites, interventions, prompts, top, seed };
  const report = await runReport(model, backend, run);
  return { report, lines: (screen) => pictures(report, screen) };
}

/** Encoders predict nothing that comes next. */
function checkReading({ model, image }: Session, reading: string): void {
  const { encoder, name } = model.config;
  const knows = image ? ["attention"] : ["attention", "strip"];
  check(
    encoder === undefined || knows.includes(reading),
    "model/encoder",
    `${reading} reads what comes next, which an encoder does not say`,
    { where: name, wanted: knows.map((one) => `--${one}`).join(", ") },
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
