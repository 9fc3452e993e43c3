// How far are encoders from Hugging Face: the cells of the parity table that an encoder has.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors } from "../../formats/safetensors.ts";
import type { Backend } from "../../runtime/backend.ts";
import { folderStore } from "../../storage/folder.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Model } from "../config.ts";
import type { Tower } from "../families/clip.ts";
import { openModel } from "../open.ts";
import { distance } from "../parity.fixture.ts";
import { sitesOf } from "../sites.ts";
import { type EncoderFeeds, encoderOutputs, runEncoder } from "./run.ts";

const folder = "test/golden/encoders";

export interface EncoderGolden {
  /** `clip text`: the folder and the tower, where there are two. */
  readonly name: string;
  readonly folder: string;
  readonly tower: Tower;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface EncoderCell {
  readonly name: "logits" | "sites" | "padding";
  readonly far: number;
  readonly allowed: number;
  readonly at?: string;
}

/** One for each tower of each golden folder. */
export async function encoderGoldens(): Promise<EncoderGolden[]> {
  const goldens: EncoderGolden[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const place = join(folder, name);
    const towers = (["text", "image"] as const).map(async (tower) => ({
      tower,
      has: (await folderStore(place).size(`${tower}.safetensors`)) !== undefined,
    }));
    const found = (await Promise.all(towers)).filter(({ has }) => has);
    for (const { tower } of found) {
      const read = await readSafetensors(folderStore(place), `${tower}.safetensors`);
      const whole = found.length > 1 ? `${name} ${tower}` : name;
      goldens.push({ name: whole, folder: place, tower, ...read });
    }
  }
  return goldens;
}

export const openGolden = ({ folder: place, tower }: EncoderGolden): Promise<Model> =>
  openModel(place, { tower, tokenizer: null });

/** What is read in one of the runs: `in`, `pad`, `placed`. */
export function feedsOf({ tensors }: EncoderGolden, run: string): EncoderFeeds {
  const begin = `${run}:`;
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(begin) && !name.includes(":out:"))
      .map(([name, value]) => [name.slice(begin.length), value]),
  );
}

/** Every cell; padding only where there are tokens. */
export async function encoderCells(
  golden: EncoderGolden,
  backend: Backend,
): Promise<EncoderCell[]> {
  const model = await openGolden(golden);
  const cells: EncoderCell[] = [
    { name: "logits", ...(await outputCell(golden, model, backend, ["in"])) },
    await siteCell(golden, model, backend),
  ];
  if (golden.tensors["pad:tokens"] !== undefined)
    cells.push({
      name: "padding",
      ...(await outputCell(golden, model, backend, ["pad", "placed"])),
    });
  return cells;
}

/** The output that is furthest beyond what it may be. */
export async function outputCell(
  golden: EncoderGolden,
  model: Model,
  backend: Backend,
  runs: readonly string[],
): Promise<Omit<EncoderCell, "name">> {
  let worst = { far: 0, allowed: 5e-5, at: "" };
  for (const run of runs) {
    const feeds = feedsOf(golden, run);
    const { outputs } = await runEncoder(model, backend, feeds);
    const mask = feeds.attention_mask?.data as Int32Array | undefined;
    for (const name of encoderOutputs) {
      const key = `${run === "in" ? "" : `${run}:`}out:${name}`;
      const [got, wanted] = [outputs[name], golden.tensors[key]];
      if (got === undefined && wanted === undefined) continue;
      const far =
        got === undefined || wanted === undefined
          ? Number.POSITIVE_INFINITY
          : distance(got, wanted, wanted.shape.length === 3 ? mask : undefined);
      const allowed = wanted === undefined ? 0 : allowedFor(golden, key);
      if (!(far / allowed <= worst.far / worst.allowed)) worst = { far, allowed, at: key };
    }
  }
  return worst;
}

/** 5e-5 of the largest number; where the peer is further from its own float64 run, twice that. */
export function allowedFor({ tensors, metadata }: EncoderGolden, key: string): number {
  const most = Math.max(1, ...(tensors[key]!.data as Float32Array).map(Math.abs));
  return Math.max(5e-5 * most, 2 * Number(metadata[`distance ${key}`] ?? 0));
}

/** All sites of the table, each relative to its largest number where that is above 1. */
async function siteCell(
  golden: EncoderGolden,
  model: Model,
  backend: Backend,
): Promise<EncoderCell> {
  const sites = sitesOf(model.config);
  const { cache } = await runEncoder(model, backend, feedsOf(golden, "in"), { sites, outputs: [] });
  let worst = { far: 0, at: "" };
  const names = new Set([
    ...sites,
    ...Object.keys(golden.tensors).flatMap((key) =>
      key.startsWith("site:") ? [key.slice("site:".length)] : [],
    ),
  ]);
  for (const name of names) {
    const [got, wanted] = [cache[name], golden.tensors[`site:${name}`]];
    const far =
      got?.shape.join() === wanted?.shape.join() && got !== undefined && wanted !== undefined
        ? distance(got, wanted) / scaleOf(wanted)
        : Number.POSITIVE_INFINITY;
    if (!(far <= worst.far)) worst = { far, at: name };
  }
  return { name: "sites", ...worst, allowed: 1e-5 };
}

function scaleOf({ data }: Tensor): number {
  return Math.max(1, ...(data as Float32Array).map(Math.abs).filter(Number.isFinite));
}
