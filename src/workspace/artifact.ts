// What makes a folder an artifact: a manifest, written last, that says what the data are and came from.
import { createHash } from "node:crypto";
import { z } from "zod";
import { check } from "../base/errors.ts";
import type { BuildInfo } from "../runtime/index.ts";
import { putJson, type Store } from "../storage/store.ts";
import { readJson } from "./json.ts";
import { packageVersion } from "./package.ts";

/** Grows when an older reader would misread. */
export const manifestFormat = 1;

/** What the last bits depend on: see `buildInfo`. */
const BuildSchema = z.object({
  micrographia: z.string(),
  node: z.string(),
  engine: z.string(),
  options: z.record(z.string(), z.union([z.boolean(), z.number(), z.string()])),
  platform: z.string(),
  arch: z.string(),
  cpu: z.object({ model: z.string(), flags: z.array(z.string()).readonly() }),
}) satisfies z.ZodType<BuildInfo>;

export const ManifestSchema = z
  .object({
    format: z.number().int().positive(),
    kind: z.string().min(1),
    /** Of the package that wrote it. */
    version: z.string(),
    /** Everything that the content depends on, besides seed and inputs. */
    parameters: z.record(z.string(), z.json()),
    seed: z.number().int(),
    /** Name → hash of what it was made from: model, tokenizer, texts. */
    inputs: z.record(z.string(), z.string()),
    /** File beside the manifest → its length in bytes. */
    files: z.record(z.string(), z.number().int().nonnegative()),
    metrics: z.record(z.string(), z.json()),
    /** On what it was computed, where that is one thing. */
    build: BuildSchema.optional(),
  })
  .meta({ id: "Manifest" });

export type Manifest = z.infer<typeof ManifestSchema>;
export type ManifestParts = Pick<Manifest, "kind"> &
  Partial<Omit<Manifest, "kind" | "format" | "version" | "files">> & {
    /** Names of the data files, without the prefix; their lengths are looked up. */
    files?: readonly string[];
  };

/** Call it when everything else is on disk: what has no manifest is not there. */
export async function writeManifest(
  store: Store,
  prefix: string,
  { kind, parameters = {}, seed = 0, inputs = {}, metrics = {}, files = [], build }: ManifestParts,
): Promise<Manifest> {
  const lengths: Record<string, number> = {};
  for (const name of files) {
    const bytes = await store.size(`${prefix}/${name}`);
    check(bytes !== undefined, "artifact/missing-file", `${name} was not written`, {
      where: `${store.name}/${prefix}`,
      wanted: name,
    });
    lengths[name] = bytes;
  }
  const manifest: Manifest = {
    format: manifestFormat,
    kind,
    version: packageVersion(),
    parameters,
    seed,
    inputs,
    files: lengths,
    metrics,
    ...(build && { build }),
  };
  await putJson(store, `${prefix}/manifest.json`, manifest);
  return manifest;
}

/**
 * Errors: `storage/missing`, `artifact/manifest` (damaged), `artifact/format` (from a newer version),
 * `artifact/kind`, `artifact/truncated` (a data file is missing or has another length),
 * `artifact/mismatch` (made from other inputs than `inputs`).
 */
export async function readManifest(
  store: Store,
  prefix: string,
  { kind, inputs = {} }: { kind?: string; inputs?: Record<string, string> } = {},
): Promise<Manifest> {
  const key = `${prefix}/manifest.json`;
  const where = `${store.name}/${key}`;
  const manifest = await readJson(store, key, ManifestSchema, "artifact/manifest");
  check(manifest.format <= manifestFormat, "artifact/format", "written by a newer micrographia", {
    where,
    got: `format ${manifest.format}, version ${manifest.version}`,
    wanted: `format ${manifestFormat}`,
  });
  check(kind === undefined || manifest.kind === kind, "artifact/kind", "another kind of artifact", {
    where,
    got: manifest.kind,
    wanted: kind,
  });
  for (const [name, wanted] of Object.entries(inputs))
    check(manifest.inputs[name] === wanted, "artifact/mismatch", `made from another ${name}`, {
      where,
      got: manifest.inputs[name] ?? "none recorded",
      wanted,
    });
  for (const [name, wanted] of Object.entries(manifest.files)) {
    const got = await store.size(`${prefix}/${name}`);
    check(got === wanted, "artifact/truncated", `${name} is not as long as it was`, {
      where,
      got: got === undefined ? "no file" : `${got} bytes`,
      wanted: `${wanted} bytes`,
      hint: "run the job again: it continues from what is whole",
    });
  }
  return manifest;
}

/** SHA-256 of bytes, or of a value as JSON with its keys in order. */
export function hashOf(value: Uint8Array | object | string | number): string {
  const bytes = value instanceof Uint8Array ? value : canonicalJson(value);
  return createHash("sha256").update(bytes).digest("hex");
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
}
