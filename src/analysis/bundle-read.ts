// What does a stored bundle say? Opened lazily, a page at a time; damaged files are refused.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { z } from "zod";
import { check, fail, isError } from "../base/errors.ts";
import { getText, type Store } from "../storage/store.ts";
import { bundleFiles, bundleFormat } from "./bundle.ts";
import {
  type DictionarySummary,
  DictionarySummarySchema,
  type FeaturePage,
  FeaturePageSchema,
  type FeatureRow,
  FeatureRowSchema,
} from "./page.ts";

const unzip = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

const CurrentSchema = z.object({ revision: z.number().int().nonnegative() });
const BundleManifestSchema = z.object({
  format: z.number().int(),
  kind: z.literal("bundle"),
  parameters: z.object({
    dictionary: z.string(),
    revision: z.number().int(),
    d_sae: z
      .number()
      .int()
      .nonnegative()
      .max(2 ** 27),
    /** The revision that stores the activations; null when none does. */
    activations: z.number().int().nullable(),
  }),
  inputs: z.record(z.string(), z.string()),
  files: z.record(z.string(), z.number().int().nonnegative()),
});

export type BundleManifest = z.infer<typeof BundleManifestSchema>;

export interface Bundle {
  readonly revision: number;
  readonly manifest: BundleManifest;
  readonly summary: DictionarySummary;
  rows(): Promise<FeatureRow[]>;
  /** gzip JSON, as it is served. */
  page(index: number): Promise<Uint8Array>;
  /** `schema: false` skips checking every field: for rewriting thousands of pages. */
  readPage(index: number, options?: { schema?: boolean }): Promise<FeaturePage>;
  /** Key of the activations in the store, or null when interim pages were written without. */
  readonly activations: string | null;
}

/** A page, or all rows, will not be larger than this when unpacked: a hostile file stops here. */
const maxPage = 2 ** 26;
const maxRows = 2 ** 30;

/** The revision in use, or undefined when there is no bundle yet. Errors: `bundle/damaged`. */
export async function currentRevision(store: Store, prefix: string): Promise<number | undefined> {
  const key = `${prefix}/current.json`;
  if ((await store.size(key)) === undefined) return undefined;
  return (await parsed(store, key, CurrentSchema)).revision;
}

/**
 * Errors: `storage/missing` (no bundle there), `bundle/damaged` (not what was written: JSON, offsets, gzip),
 * `bundle/truncated` (a file is missing or has another length), `bundle/format` (from a newer version).
 */
export async function openBundle(
  store: Store,
  prefix: string,
  options: { revision?: number } = {},
): Promise<Bundle> {
  const revision = options.revision ?? (await currentRevision(store, prefix));
  if (revision === undefined)
    fail("storage/missing", "this dictionary has not been described yet", {
      where: `${store.name}/${prefix}`,
      hint: "micrographia describe",
    });
  const folder = `${prefix}/r${revision}`;
  const where = `${store.name}/${folder}`;
  const manifest = await parsed(store, `${folder}/${bundleFiles.manifest}`, BundleManifestSchema);
  check(manifest.format <= bundleFormat, "bundle/format", "written by a newer micrographia", {
    where,
    got: `format ${manifest.format}`,
    wanted: `format ${bundleFormat}`,
  });
  for (const name of [
    bundleFiles.pages,
    bundleFiles.index,
    bundleFiles.rows,
    bundleFiles.summary,
  ]) {
    const wanted = manifest.files[name];
    const got = await store.size(`${folder}/${name}`);
    check(got !== undefined && got === wanted, "bundle/truncated", `${name} is not whole`, {
      where,
      got: got === undefined ? "no file" : `${got} bytes`,
      wanted: wanted === undefined ? "an entry in the manifest" : `${wanted} bytes`,
    });
  }
  const summary = await parsed(store, `${folder}/${bundleFiles.summary}`, DictionarySummarySchema);
  const offsets = await readOffsets(store, folder, manifest);
  const { d_sae, activations } = manifest.parameters;

  const page = async (index: number): Promise<Uint8Array> => {
    check(
      Number.isSafeInteger(index) && index >= 0 && index < d_sae,
      "feature/unknown",
      `there is no feature ${index}`,
      { where: summary.id, got: index, wanted: `0 to ${d_sae - 1}` },
    );
    const bytes = await store.getRange(
      `${folder}/${bundleFiles.pages}`,
      offsets[index]!,
      offsets[index + 1]!,
    );
    check(bytes[0] === 0x1f && bytes[1] === 0x8b, "bundle/damaged", "a page is not gzip", {
      where: `${where}/${bundleFiles.pages}`,
      got: `feature ${index}`,
    });
    return bytes;
  };

  return {
    revision,
    manifest,
    summary,
    page,
    activations:
      activations === null ? null : `${prefix}/r${activations}/${bundleFiles.activations}`,
    async rows() {
      const key = `${folder}/${bundleFiles.rows}`;
      const json = await unpacked(await store.get(key), maxRows, `${store.name}/${key}`);
      const rows = valid(json, z.array(FeatureRowSchema), `${store.name}/${key}`);
      check(rows.length === d_sae, "bundle/damaged", "rows are missing", {
        where,
        got: rows.length,
        wanted: d_sae,
      });
      return rows;
    },
    async readPage(index, { schema = true } = {}) {
      const at = `${where}/${bundleFiles.pages}, feature ${index}`;
      const json = await unpacked(await page(index), maxPage, at);
      return schema ? valid(json, FeaturePageSchema, at) : (json as FeaturePage);
    },
  };
}

async function readOffsets(
  store: Store,
  folder: string,
  { files, parameters }: BundleManifest,
): Promise<Float64Array> {
  const bytes = await store.get(`${folder}/${bundleFiles.index}`);
  const wanted = 8 * (parameters.d_sae + 1);
  const where = `${store.name}/${folder}/${bundleFiles.index}`;
  check(bytes.length === wanted, "bundle/damaged", "the index has another number of pages", {
    where,
    got: `${bytes.length} bytes`,
    wanted: `${wanted} bytes`,
  });
  const offsets = new Float64Array(bytes.slice().buffer);
  const ascending = offsets.every(
    (x, i) => Number.isSafeInteger(x) && (i === 0 ? x === 0 : x > offsets[i - 1]!),
  );
  check(
    ascending && offsets.at(-1) === files[bundleFiles.pages],
    "bundle/damaged",
    "the index does not fit the pages",
    { where, got: `end ${offsets.at(-1)}`, wanted: `ascending to ${files[bundleFiles.pages]}` },
  );
  return offsets;
}

async function unpacked(
  bytes: Uint8Array,
  maxOutputLength: number,
  where: string,
): Promise<unknown> {
  try {
    return JSON.parse((await unzip(bytes, { maxOutputLength })).toString("utf8"));
  } catch (cause) {
    return fail("bundle/damaged", "this is not gzipped JSON", { where, cause });
  }
}

async function parsed<T extends z.ZodType>(
  store: Store,
  key: string,
  schema: T,
): Promise<z.infer<T>> {
  const where = `${store.name}/${key}`;
  let json: unknown;
  try {
    json = JSON.parse(await getText(store, key));
  } catch (cause) {
    if (isError(cause)) throw cause;
    fail("bundle/damaged", "this is not JSON", { where, cause });
  }
  return valid(json, schema, where);
}

function valid<T extends z.ZodType>(json: unknown, schema: T, where: string): z.infer<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return fail("bundle/damaged", "this is not what a bundle holds", {
    where,
    got: issue === undefined ? undefined : `${issue.path.join(".")}: ${issue.message}`,
  });
}
