// micrographia info: what is installed, what lies in the project folder, what one thing is.
import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import type { Command } from "commander";
import { openBundle } from "../analysis/bundle-read.ts";
import { fail } from "../base/errors.ts";
import { modelShelf } from "../server/models.ts";
import { layout } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { bytes, figures } from "./format.ts";
import { print } from "./job.ts";
import { type CommonOptions, commonOptions } from "./options.ts";

export function define(command: Command): Command {
  return commonOptions(command, { seed: false }).argument("[name]", "a model or a dictionary");
}

export async function run(name: string | undefined, { json, out }: CommonOptions): Promise<number> {
  // Looking must not leave a folder behind.
  const workspace = existsSync(out) ? await openWorkspace(out) : undefined;
  const found =
    name === undefined ? await whatIsHere(workspace, out) : await whatIs(name, workspace, out);
  await print(json ? JSON.stringify(found) : figures(found).join("\n"));
  return 0;
}

async function whatIsHere(workspace: Workspace | undefined, out: string) {
  const models = await modelShelf(out).names();
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    memory: bytes(totalmem()),
    onnxruntime: await runtimeVersion(),
    folder: workspace?.folder ?? `${out} (not there yet)`,
    written_by: (await workspace?.holder())?.pid ?? null,
    models: models.join(", ") || null,
    dictionaries: (await workspace?.dictionaries())?.join(", ") || null,
    described: (await workspace?.bundles())?.join(", ") || null,
    runs: (await workspace?.runs())?.map(({ id }) => id).join(", ") || null,
  };
}

async function whatIs(
  name: string,
  workspace: Workspace | undefined,
  out: string,
): Promise<object> {
  const models = modelShelf(out);
  const names = await models.names();
  if (names.includes(name)) return models.info(name);
  const described = (await workspace?.bundles()) ?? [];
  if (workspace !== undefined && described.includes(name))
    return (await openBundle(workspace.store, layout.bundle(name))).summary;
  const all = [...names, ...described];
  return fail("model/unknown", "there is no model or dictionary with this name", {
    got: name,
    wanted: all.join(", ") || "nothing is here yet: run micrographia demo",
  });
}

async function runtimeVersion(): Promise<string> {
  try {
    const ort = await import("onnxruntime-node");
    return ort.env.versions.node ?? ort.env.versions.common;
  } catch (error) {
    return `does not load: ${(error as Error).message.split("\n")[0]}`;
  }
}
