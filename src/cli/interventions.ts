// What is to be changed in a running model, as the command line says it: a file, ablations, steers.
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { fail } from "../base/errors.ts";
import {
  ablate,
  type Intervention,
  openInterventions,
  parseInterventions,
  steer,
} from "../hooks/index.ts";
import { folderStore } from "../storage/folder.ts";
import { findTensor, readNumbers, textOf } from "./tensor-file.ts";

export interface InterventionOptions {
  intervene?: string;
  ablate?: string[];
  steer?: string[];
}

/** An option that may be repeated. */
export const several = (text: string, before: string[] = []): string[] => [...before, text];

export function interventionOptions(command: Command): Command {
  return command
    .optionsGroup("Interventions:")
    .option("--intervene <file>", "a JSON list of interventions")
    .option("--ablate <site>", "put zeros there; may be repeated", several)
    .option(
      "--steer <site:coef:file>",
      "add a direction, from .json or .safetensors[#tensor]",
      several,
    );
}

/** All that was asked for, in this order: the file, ablations, steers. */
export async function askedInterventions({
  intervene,
  ablate: ablated = [],
  steer: steered = [],
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
  if (!path.endsWith(".safetensors"))
    return steer(match[1]!, { values: await readNumbers(path) }, coefficient);
  const { store, ...direction } = await findTensor(path, named);
  const [opened] = await openInterventions([steer(match[1]!, direction, coefficient)], store);
  return opened!;
}
