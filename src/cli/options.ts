// Options that every command has, and how their values are read.
import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";

export interface CommonOptions {
  json?: boolean;
  quiet?: boolean;
  seed: number;
  threads: number;
  out: string;
}

/** `--seed` is left out where chance plays no part. */
export function commonOptions(command: Command, { seed = true } = {}): Command {
  command
    .option("--json", "one JSON document on stdout")
    .option("--quiet", "no progress")
    .addOption(
      new Option("--threads <n>", "threads of the arithmetic")
        .argParser(positive)
        .default(availableParallelism(), "all cores"),
    )
    .option("--out <folder>", "the project folder", "runs");
  if (seed) command.option("--seed <n>", "what all chance comes from", whole, 0);
  return command;
}

export function positive(text: string): number {
  const value = count(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  return value;
}

export function whole(text: string): number {
  const value = count(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  return value;
}

export function portNumber(text: string): number {
  const value = whole(text);
  if (value > 65_535) throw new InvalidArgumentError("It must be a port, 0 to 65535.");
  return value;
}

export function real(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** `20000`, `20_000`, `20k`, `13M`. */
function count(text: string): number {
  const match = /^(\d[\d_]*(?:\.\d+)?)([kKmM]?)$/.exec(text);
  if (match === null) return Number.NaN;
  const factor = { "": 1, k: 1e3, m: 1e6 }[match[2]!.toLowerCase()]!;
  return Math.round(Number(match[1]!.replaceAll("_", "")) * factor);
}
