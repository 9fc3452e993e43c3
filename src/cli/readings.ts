// Which readings does run know, which options ask for them, and what do they not go with?
import { type Command, InvalidArgumentError, Option } from "commander";
import { several } from "./interventions.ts";
import { attentionReading } from "./read-attention.ts";
import { attributionReading } from "./read-attribution.ts";
import { circuitsReading } from "./read-circuits.ts";
import { compositionReading } from "./read-composition.ts";
import { headsReading } from "./read-heads.ts";
import { lensReading } from "./read-lens.ts";
import { patchReading } from "./read-patch.ts";
import { bundled, probeReading } from "./read-probe.ts";
import type { Reading, ReadOptions } from "./read-session.ts";
import { stripReading } from "./read-strip.ts";

/** In the order in which they are printed. */
export const readings: readonly Reading<unknown>[] = [
  stripReading,
  lensReading,
  attentionReading,
  headsReading,
  circuitsReading,
  compositionReading,
  attributionReading,
  patchReading,
  probeReading,
] as readonly Reading<unknown>[];

export function readingOptions(command: Command): Command {
  return command
    .optionsGroup("Readings, each beside its control:")
    .option(
      "--strip <what>",
      "tokens by loss, a site's size, a unit SITE:12, or a direction SITE:FILE; may be repeated",
      several,
    )
    .addOption(
      new Option("--lens [kind]", "likeliest tokens after each layer; tuned learns first: minutes")
        .choices(["logit", "tuned"])
        .preset("logit"),
    )
    .option("--attention [heads]", "attention patterns: all, layers, or layer.head: 0,3.1")
    .option("--heads", "where heads look in repeated random tokens, and whether they copy")
    .option("--circuits <heads>", "tokens that heads connect through QK and OV: 3.1")
    .option("--composition", "which heads read what earlier heads write, by their weights")
    .option("--attribution", "which layers, heads and neurons spoke for the answer")
    .option("--corrupt <prompt>", "activation patching from this prompt, as long as the other")
    .option("--patch <sites>", "with --corrupt: what is patched (default: resid_pre,z,mlp_out)")
    .option("--paths", "with --corrupt: also each head straight to the logits")
    .addOption(
      new Option(
        "--probe [file]",
        "can a linear probe read a label; lines of {text, label}",
      ).preset(bundled),
    )
    .option("--answer <token>", "the next token in question, as text or #id (default: likeliest)")
    .option("--wrong <token>", "the token it is compared with (default: the likeliest other)")
    .option("--layers <list>", "layers that are read, e.g. 0,4-6 (default: all)", layerList);
}

export function askedReadings(options: ReadOptions): Reading<unknown>[] {
  return readings.filter((reading) => reading.asked(options));
}

/** `0,4-6` */
export function layerList(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const found = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    const [from, to] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (found === null || to < from || to - from > 1000)
      throw new InvalidArgumentError("It must be layers, e.g. 0,4-6.");
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}
