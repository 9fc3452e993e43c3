// Where do the numbers of an intervention come from: the record itself, a file, or whoever runs it?
import { createHash } from "node:crypto";
import { z } from "zod";
import { check, fail } from "../base/errors.ts";
import { readSafetensor, readSafetensorsHeader } from "../formats/safetensors.ts";
import type { Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import { f32, sizeOf, type Tensor } from "../tensor/tensor.ts";

/** Values by site string, as `runWithCache` returns them. */
export type Cache = Readonly<Record<string, Tensor<"float32">>>;

const isTensor = (value: unknown): value is Tensor<"float32"> =>
  (value as Tensor | null)?.dtype === "float32" &&
  (value as Tensor).data instanceof Float32Array &&
  Array.isArray((value as Tensor).shape);
const isCache = (value: unknown): value is Cache =>
  typeof value === "object" && value !== null && Object.values(value).every(isTensor);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Numbers in the record: a list is a vector, unless a shape says otherwise. */
const inlineRef = z
  .strictObject({
    values: z.array(z.number()).min(1).readonly(),
    shape: z.array(z.int().min(0)).readonly().optional(),
  })
  .readonly();
/** A tensor of a safetensors file; `hash`, of shape and numbers, is checked when it is opened. */
const fileRef = z
  .strictObject({ file: z.string().min(1), tensor: z.string().min(1), hash: sha256.optional() })
  .readonly();
/** Handed in under this name at each run: a tensor, or a cache with one for each site. */
const feedRef = z.strictObject({ feed: z.string().min(1), hash: sha256.optional() }).readonly();

export const SourceSchema = z.union([
  inlineRef,
  fileRef,
  feedRef,
  z.custom<Tensor<"float32">>(isTensor, "a float32 tensor"),
  z.custom<Cache>((value) => isCache(value) && Object.keys(value).length > 0, "a cache"),
]);

/** `{ values }`, `{ file, tensor }`, `{ feed }`; in code also a tensor, or a cache. */
export type Source = z.infer<typeof SourceSchema>;
export type Feeds = Readonly<Record<string, Tensor<"float32"> | Cache>>;

type InlineRef = z.infer<typeof inlineRef>;
type FileRef = z.infer<typeof fileRef>;
type FeedRef = z.infer<typeof feedRef>;

const inlined = new WeakMap<InlineRef, Tensor<"float32">>();
const hashes = new WeakMap<Tensor, string>();
const origins = new WeakMap<Tensor, FileRef>();

/** The tensor for one site. Errors: `intervention/feed`, `intervention/file`. */
export function tensorFor(source: Source, site: string, feeds: Feeds): Tensor<"float32"> {
  if ("values" in source) return inline(source as InlineRef);
  if ("file" in source)
    fail("intervention/file", "an intervention's file has not been opened", {
      where: site,
      got: (source as FileRef).file,
      hint: "openInterventions(list, store) reads the files",
    });
  if (!("feed" in source)) return pick(source as Tensor<"float32"> | Cache, site, "the cache");
  const { feed, hash } = source as FeedRef;
  const fed = feeds[feed];
  if (fed === undefined)
    fail("intervention/feed", `an intervention reads the feed ${feed}, which was not handed in`, {
      where: site,
      got: Object.keys(feeds).join(", ") || "no feeds",
      wanted: feed,
    });
  const value = pick(fed, site, `the feed ${feed}`);
  if (hash !== undefined) checkHash(hash, contentHash(fed), `feed ${feed}`);
  return value;
}

function pick(from: Tensor<"float32"> | Cache, site: string, what: string): Tensor<"float32"> {
  if (isTensor(from)) return from;
  const value = from[site];
  if (value === undefined)
    fail("intervention/feed", `${what} has no value for a site that is changed`, {
      where: site,
      got: Object.keys(from).slice(0, 8).join(", "),
      wanted: site,
    });
  return value;
}

function inline(ref: InlineRef): Tensor<"float32"> {
  let made = inlined.get(ref);
  if (made === undefined) {
    made = f32(ref.shape ?? [ref.values.length], ref.values);
    inlined.set(ref, made);
  }
  return made;
}

/** SHA-256 of shape and float32 numbers; of a cache, of its sites and theirs. */
export function contentHash(of: Tensor<"float32"> | Cache): string {
  const hash = createHash("sha256");
  if (!isTensor(of)) {
    for (const site of Object.keys(of).sort()) hash.update(`${site} ${contentHash(of[site]!)}\n`);
    return hash.digest("hex");
  }
  const known = hashes.get(of);
  if (known !== undefined) return known;
  const { data, shape } = of;
  hash.update(`float32 [${shape.join(",")}]\n`);
  const made = hash
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
  hashes.set(of, made);
  return made;
}

/** The contents where they are known, else the names: what a hash of interventions is made of. */
export function identityOf(source: Source): Record<string, string> {
  if ("values" in source) return { content: contentHash(inline(source as InlineRef)) };
  if ("file" in source) {
    const { file, tensor, hash } = source as FileRef;
    return hash === undefined ? { file, tensor } : { content: hash };
  }
  if ("feed" in source) {
    const { feed, hash } = source as FeedRef;
    return hash === undefined ? { feed } : { content: hash };
  }
  return { content: contentHash(source as Tensor<"float32"> | Cache) };
}

/** Numbers that JSON writes out; more belong into a file or a feed. */
const mostInline = 4096;

/** As JSON has it: a tensor is written out when it is small, or named when it came from a file. */
export function serialSource(source: Source): Source {
  if (isTensor(source)) {
    const origin = origins.get(source);
    if (origin !== undefined) return origin;
    check(
      source.data.length <= mostInline && source.data.every(Number.isFinite),
      "intervention/serial",
      "a tensor of an intervention cannot be written as JSON",
      {
        got: `[${source.shape.join(", ")}] = ${sizeOf(source.shape)} numbers`,
        wanted: `at most ${mostInline} finite numbers`,
        hint: "name it as { feed } and hand it in, or save it and name { file, tensor }",
      },
    );
    return { values: [...source.data], shape: [...source.shape] };
  }
  if ("values" in source || "file" in source || "feed" in source) return source;
  return fail("intervention/serial", "a cache cannot be written as JSON", {
    got: Object.keys(source).slice(0, 4).join(", "),
    hint: "name it as { feed } and hand it in at each run",
  });
}

/** Reads a tensor from its file, widened to float32; refuses another content than `hash`. */
export async function openFile(ref: FileRef, store: Store): Promise<Tensor<"float32">> {
  const where = `${store.name}/${ref.file}`;
  const header = await readSafetensorsHeader(store, ref.file);
  const value = toFloat32(await readSafetensor(store, ref.file, header, ref.tensor));
  const hash = contentHash(value);
  if (ref.hash !== undefined) checkHash(ref.hash, hash, `${where} ${ref.tensor}`);
  origins.set(value, Object.freeze({ file: ref.file, tensor: ref.tensor, hash }));
  return value;
}

/** What the source stands for, changed: one tensor, or one for each site. */
export function mapTensors(
  source: Source,
  feeds: Feeds,
  change: (value: Tensor<"float32">) => Tensor<"float32">,
): Tensor<"float32"> | Cache {
  if (isShared(source, feeds)) return change(tensorFor(source, "every site", feeds));
  const named = "feed" in source ? feeds[(source as FeedRef).feed] : source;
  const cache = isCache(named) ? Object.entries(named) : [];
  if (cache.length === 0) tensorFor(source, "every site", feeds);
  return Object.fromEntries(cache.map(([site, value]) => [site, change(value)]));
}

/** Whether this one tensor is what every site gets. */
export function isShared(source: Source, feeds: Feeds): boolean {
  if ("feed" in source) return isTensor(feeds[(source as FeedRef).feed]);
  return "values" in source || isTensor(source);
}

export const isFileRef = (source: Source): source is FileRef => "file" in source;

function checkHash(wanted: string, got: string, where: string): void {
  check(got === wanted, "intervention/hash", "these are not the numbers that were meant", {
    where,
    got,
    wanted,
  });
}
