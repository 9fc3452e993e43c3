// How are a dictionary's pages stored? A folder a revision; the manifest last; then current.json switches.
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { putJson, type Store } from "../storage/store.ts";
import type { DictionarySummary, FeaturePage, FeatureRow } from "./page.ts";
import { writeActivations } from "./parquet.ts";

const compress = promisify<Uint8Array, { level: number }, Buffer>(gzip);

/** Grows when an older reader would misread. */
export const bundleFormat = 1;

export const bundleFiles = {
  activations: "activations.parquet",
  pages: "pages.bin",
  index: "pages.idx",
  rows: "rows.json.gz",
  summary: "summary.json",
  manifest: "manifest.json",
} as const;

export interface BundleWriter {
  /** In order of features. Resolves when it may be called again. */
  page(page: FeaturePage): Promise<void>;
  /** The next page as `packPage` made it. */
  packed(page: Uint8Array): Promise<void>;
  /** Rows, summary, manifest, and the switch. */
  finish(parts: BundleEnd): Promise<void>;
}

export interface BundleEnd {
  rows: FeatureRow[];
  summary: DictionarySummary;
  columns?: FeatureColumns;
  /** The revision whose activations these pages describe, when they were stored before. */
  activationsOf?: number;
  inputs?: Record<string, string>;
  version?: string;
}

/** A page as it is stored. */
export function packPage(page: FeaturePage): Promise<Uint8Array> {
  return compress(Buffer.from(JSON.stringify(page)), { level: 4 });
}

/** Compression runs on other threads; that many pages may be under way. */
const underWay = 24;
const chunkBytes = 4 * 2 ** 20;

/** `prefix` is the bundle's folder; the revision's folder below it is written anew. */
export async function bundleWriter(
  store: Store,
  prefix: string,
  revision: number,
): Promise<BundleWriter> {
  const folder = `${prefix}/r${revision}`;
  for (const key of await store.list(`${folder}/`)) await store.delete(key);
  const offsets: number[] = [0];
  const pending: Promise<Uint8Array>[] = [];
  let chunk: Uint8Array[] = [];
  let held = 0;
  const flush = async (): Promise<void> => {
    await store.append(`${folder}/${bundleFiles.pages}`, Buffer.concat(chunk));
    chunk = [];
    held = 0;
  };
  const add = async (bytes: Uint8Array): Promise<void> => {
    offsets.push(offsets.at(-1)! + bytes.length);
    chunk.push(bytes);
    held += bytes.length;
    if (held > chunkBytes) await flush();
  };
  const settle = async (most: number): Promise<void> => {
    while (pending.length > most) await add(await pending.shift()!);
  };
  return {
    async page(page) {
      pending.push(packPage(page));
      await settle(underWay - 1);
    },
    async packed(page) {
      await settle(0);
      await add(page);
    },
    async finish({ rows, summary, columns, activationsOf, inputs = {}, version = "0" }) {
      await settle(0);
      await flush();
      const put = async (name: string, bytes: Uint8Array): Promise<void> =>
        store.put(`${folder}/${name}`, bytes);
      await put(bundleFiles.index, new Uint8Array(Float64Array.from(offsets).buffer));
      await put(bundleFiles.rows, await compress(Buffer.from(JSON.stringify(rows)), { level: 6 }));
      if (columns !== undefined)
        await writeActivations(columns, (bytes) =>
          store.append(`${folder}/${bundleFiles.activations}`, bytes),
        );
      await putJson(store, `${folder}/${bundleFiles.summary}`, summary);
      const names = [bundleFiles.pages, bundleFiles.index, bundleFiles.rows, bundleFiles.summary];
      const files: Record<string, number> = {};
      for (const name of columns === undefined ? names : [...names, bundleFiles.activations])
        files[name] = (await store.size(`${folder}/${name}`))!;
      await putJson(store, `${folder}/${bundleFiles.manifest}`, {
        format: bundleFormat,
        kind: "bundle",
        version,
        parameters: {
          dictionary: summary.id,
          revision,
          d_sae: offsets.length - 1,
          activations: columns !== undefined ? revision : (activationsOf ?? null),
        },
        seed: summary.seed,
        inputs,
        files,
        metrics: {},
      });
      await putJson(store, `${prefix}/current.json`, { revision });
    },
  };
}
