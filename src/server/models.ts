// Which models there are to look at: the bundled ones and those grown in this folder.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelInfo } from "../api/types.ts";
import { fail } from "../base/errors.ts";
import {
  listOrganisms,
  type ModelConfig,
  openModel,
  organismsFolder,
  resolveModel,
  type SiteRow,
  site,
  siteShape,
  sites,
  weightShapes,
} from "../models/index.ts";
import { isId } from "../workspace/layout.ts";

export interface ModelShelf {
  names(): Promise<string[]>;
  /** Refuses with `model/unknown`. */
  info(name: string): Promise<ModelInfo>;
  /** The folder that holds it. */
  folder(name: string): Promise<string>;
  /** What `openModel` takes: of one of these, a folder, a file, a hub id in the cache. */
  find(reference: string): Promise<string>;
}

/** `folder` is the project folder; it need not be there. */
export function modelShelf(folder: string): ModelShelf {
  const known = new Map<string, Promise<ModelInfo>>();
  const grown = join(folder, "models");

  const names = async (): Promise<string[]> => {
    const own = await readdir(grown).catch(() => []);
    const whole = own.filter((name) => isId(name) && existsSync(join(grown, name, "config.json")));
    return [...new Set([...(await listOrganisms()), ...whole])];
  };
  const folderOf = async (name: string): Promise<string> => {
    const all = await names();
    if (!all.includes(name))
      fail("model/unknown", "there is no model with this name", {
        got: name.slice(0, 100),
        wanted: all.join(", ") || "no model is here yet",
      });
    const own = join(grown, name);
    return existsSync(join(own, "config.json")) ? own : join(organismsFolder(), name);
  };

  return {
    names,
    folder: folderOf,
    async find(reference) {
      if ((await names()).includes(reference)) return folderOf(reference);
      const { folder, file } = await resolveModel(reference);
      return file ?? folder;
    },
    async info(name) {
      const path = await folderOf(name);
      const info = known.get(path) ?? describeModel(path);
      known.set(path, info);
      info.catch(() => known.delete(path));
      return info;
    },
  };
}

async function describeModel(folder: string): Promise<ModelInfo> {
  const { config, hash } = await openModel(folder);
  const shapes = Object.values(weightShapes(config));
  return {
    name: config.name,
    config: Object.fromEntries(
      Object.entries(config).map(([key, value]) => [
        key,
        typeof value === "object" ? JSON.stringify(value) : value,
      ]),
    ),
    parameters: shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0),
    hash,
    sites: sites.flatMap((row) => siteInfos(config, row)),
    card: await readFile(join(folder, "card.md"), "utf8").catch(() => null),
  };
}

function siteInfos(config: ModelConfig, row: SiteRow): ModelInfo["sites"] {
  const layers = row.perLayer ? Array.from({ length: config.n_layers }, (_, i) => i) : [undefined];
  const reason = row.lacking?.(config);
  return layers.map((layer) => {
    const wire = site(row.name, layer);
    const available = reason === undefined;
    // Numbers a token; of a site between two positions, numbers a pair of them.
    const width = available ? siteShape(config, wire, { batch: 1, pos: 1 }) : [0];
    return {
      site: wire,
      axes: [...row.axes],
      width: width.reduce((a, b) => a * b, 1),
      available,
      ...(reason === undefined ? {} : { reason }),
    };
  });
}
