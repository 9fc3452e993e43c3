// micrographia info: what is installed, what lies in the project folder, what one thing is.
import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import type { Command } from "commander";
import { openBundle } from "../analysis/bundle-read.ts";
import { bosPolicy } from "../analysis/provenance.ts";
import { fail, isError } from "../base/errors.ts";
import { type Model, type ModelConfig, weightDtype, weightShapes } from "../models/index.ts";
import { modelShelf } from "../server/models.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { layout } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { bytes, figures } from "./format.ts";
import { print } from "./job.ts";
import { findModel, type ModelOptions, modelOptions, towerOption } from "./models.ts";
import { type CommonOptions, commonOptions } from "./options.ts";
import { type SiteEntry, siteEntries, siteTable } from "./site-table.ts";

export function define(command: Command): Command {
  return modelOptions(commonOptions(command, { seed: false }))
    .addOption(towerOption())
    .argument("[name]", "a model (by name, folder, file or hub id) or a dictionary");
}

export async function run(
  name: string | undefined,
  options: CommonOptions & ModelOptions,
): Promise<number> {
  const { json, out } = options;
  // Looking must not leave a folder behind.
  const workspace = existsSync(out) ? await openWorkspace(out) : undefined;
  const found =
    name === undefined ? await whatIsHere(workspace, out) : await whatIs(name, workspace, options);
  await print(json ? JSON.stringify(found) : readable(found).join("\n"));
  return 0;
}

/** A model's sites are a table of their own: one line for all layers. */
function readable(found: object): string[] {
  const { sites, card: _, config, ...rest } = found as Partial<ModelFacts>;
  if (sites === undefined || config === undefined) return figures(found);
  return [...figures({ ...rest, config }), "", ...siteTable(config)];
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
  options: ModelOptions,
): Promise<object> {
  const { out } = options;
  const models = modelShelf(out);
  const names = await models.names();
  if (names.includes(name))
    return { ...(await models.info(name)), ...factsOf(await findModel(name, options)) };
  const described = (await workspace?.bundles()) ?? [];
  if (workspace !== undefined && described.includes(name)) {
    const { summary, manifest } = await openBundle(workspace.store, layout.bundle(name));
    return { ...summary, made_from: manifest.inputs };
  }
  const all = [...names, ...described];
  const model = await findModel(name, options).catch((error) => {
    if (!isError(error, "model/missing") || name.includes("/")) throw error;
    return fail("model/unknown", "there is no model or dictionary with this name", {
      got: name,
      wanted: all.join(", ") || "nothing is here yet: run micrographia demo",
    });
  });
  return factsOf(model);
}

interface ModelFacts {
  name: string;
  config: ModelConfig;
  parameters: number;
  /** What is computed in, and of which blocks the weights were, if of any. */
  dtype: string;
  tokenizer: string | null;
  /** What the model expects a text to begin with. */
  bos_policy: string | null;
  sites: SiteEntry[];
  card?: unknown;
}

function factsOf(model: Model): ModelFacts {
  const { config, tokenizer } = model;
  const parameters = Object.values(weightShapes(config)).reduce((sum, s) => sum + sizeOf(s), 0);
  return {
    name: config.name,
    config,
    parameters,
    dtype: weightDtype(model),
    tokenizer: tokenizer?.hash ?? null,
    bos_policy: tokenizer === undefined ? null : bosPolicy(tokenizer),
    sites: siteEntries(config),
  };
}

async function runtimeVersion(): Promise<string> {
  try {
    const ort = await import("onnxruntime-node");
    return ort.env.versions.node ?? ort.env.versions.common;
  } catch (error) {
    return `does not load: ${(error as Error).message.split("\n")[0]}`;
  }
}
