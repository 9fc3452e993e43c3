// What is to be changed in a running model, as the command line says it: a file, ablations, steers.
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
import { folderStore } from "../storage/folder.ts";

export interface InterventionOptions {
  intervene?: string;
  ablate: string[];
  steer: string[];
}

/** An option that may be repeated. */
export const several = (text: string, before: string[]): string[] => [...before, text];

export function interventionOptions(command: Command): Command {
  return command
    .option("--intervene <file>", "a JSON list of interventions")
    .option("--ablate <site>", "put zeros there; may be repeated", several, [])
    .option(
      "--steer <site:coef:file>",
      "add a direction, from .json or .safetensors[#tensor]",
      several,
      [],
    );
}

/** All that was asked for, in this order: the file, ablations, steers. */
export async function askedInterventions({
  intervene,
  ablate: ablated,
  steer: steered,
}: InterventionOptions): Promise<Intervention[]> {
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
