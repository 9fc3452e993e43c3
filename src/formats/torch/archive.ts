// What does a PyTorch file hold, and where do its storages lie? Both layouts: zip (1.6 and later) and legacy.
import { check, fail } from "../../base/errors.ts";
import { cursor, parsePrefix, type Source } from "../cursor.ts";
import { storedTypes } from "../stored.ts";
import { type StorageRef, torchNames } from "./names.ts";
import { type Pickled, unpickle } from "./pickle.ts";
import { placeOf, readZipDirectory } from "./zip.ts";

export interface Archive {
  readonly value: Pickled;
  /** Storage key → bytes [start, end) of the file. */
  readonly places: ReadonlyMap<string, readonly [start: number, end: number]>;
}

/** 0x1950a86a20f9469cfc6c, the first pickle of a legacy file. */
const magic = 119547037146038801333356n;

export async function readArchive(source: Source): Promise<Archive> {
  const first = await source.read(0, Math.min(4, source.size));
  if (first[0] === 0x50 && first[1] === 0x4b) return readZip(source);
  if (first[0] === 0x80) return readLegacy(source);
  return fail("format/torch", "this is no PyTorch file", {
    where: source.where,
    got: [...first].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
    wanted: "a zip archive (50 4b 03 04) or a pickle (80 02)",
    hint: first.some((byte) => byte > 0x20)
      ? "files older than PyTorch 0.1.10 (tar) are not read"
      : undefined,
  });
}

/** The storages that the pickle refers to, by key; two descriptions of one key must agree. */
function collector(source: Source) {
  const refs = new Map<string, StorageRef>();
  const names = torchNames(source.where);
  const persistent = (id: Pickled): Pickled => {
    const ref = names.persistent(id) as StorageRef;
    const before = refs.get(ref.key);
    if (before === undefined) refs.set(ref.key, ref);
    check(
      before === undefined || (before.stored === ref.stored && before.numel === ref.numel),
      "format/torch-tensor",
      "one storage is described in two ways",
      { where: source.where, got: ref.key },
    );
    return ref;
  };
  return { refs, names: { find: names.find, persistent } };
}

const widthOf = (ref: StorageRef): number =>
  ref.stored === undefined ? 1 : storedTypes[ref.stored]!.bytes;

async function readZip(source: Source): Promise<Archive> {
  const entries = await readZipDirectory(source);
  const pickleName = [...entries.keys()].find((name) => /^[^/]*\/data\.pkl$/.test(name));
  const root = pickleName?.slice(0, -"data.pkl".length);
  if (pickleName === undefined || root === undefined)
    return fail("format/torch", "this zip archive is no PyTorch file", {
      where: source.where,
      got: [...entries.keys()].slice(0, 5).join(", "),
      wanted: "an entry …/data.pkl",
    });
  const bytesOf = async (name: string): Promise<Uint8Array> =>
    source.read(...(await placeOf(source, entries.get(name)!)));
  if (entries.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode((await bytesOf(`${root}byteorder`)).subarray(0, 16));
    check(order === "little", "format/torch-endian", "the file was written big-endian", {
      where: source.where,
      got: order,
      wanted: "little",
    });
  }
  const { refs, names } = collector(source);
  const where = `${source.where}: ${pickleName}`;
  const value = unpickle(cursor(await bytesOf(pickleName), { where, code: "format/torch" }), names);
  const places = new Map<string, readonly [number, number]>();
  const all = [...refs.values()];
  // Each has a small header of its own before it: many are fetched at once.
  for (let i = 0; i < all.length; i += 64)
    await Promise.all(all.slice(i, i + 64).map(placeStorage));
  return { value, places };

  async function placeStorage(ref: StorageRef): Promise<void> {
    const entry = entries.get(`${root}data/${ref.key}`);
    if (entry === undefined)
      return fail("format/torch-tensor", "a storage is missing", { where, got: ref.key });
    const place = await placeOf(source, entry);
    checkSize(ref, place[1] - place[0], where);
    places.set(ref.key, place);
  }
}

function checkSize(ref: StorageRef, got: number, where: string): void {
  check(ref.numel * widthOf(ref) === got, "format/torch-tensor", "a storage has another size", {
    where: `${where}: storage ${ref.key}`,
    got: `${got} bytes`,
    wanted: `${ref.numel * widthOf(ref)} bytes`,
  });
}

/** Five pickles one after another (magic, version, system, the value, storage keys), then the storages. */
async function readLegacy(source: Source): Promise<Archive> {
  const { where } = source;
  const { refs, names } = collector(source);
  const nothing = {
    find: names.find,
    persistent: () => fail("format/torch-tensor", "a reference outside the value", { where }),
  };
  const { value, keys, end } = await parsePrefix(source, "format/torch", (c) => {
    refs.clear();
    check(unpickle(c, nothing) === magic, "format/torch", "this pickle is no PyTorch file", {
      where,
    });
    check(unpickle(c, nothing) === 1001, "format/torch", "unknown version of the legacy layout", {
      where,
    });
    const system = unpickle(c, nothing);
    check(
      system instanceof Map && system.get("little_endian") === true,
      "format/torch-endian",
      "the file was written big-endian",
      { where },
    );
    return { value: unpickle(c, names), keys: unpickle(c, nothing), end: c.at() };
  });
  check(Array.isArray(keys), "format/torch", "the list of storages is missing", { where });
  const places = new Map<string, readonly [number, number]>();
  let at = end;
  for (const key of keys as readonly Pickled[]) {
    const ref = typeof key === "string" ? refs.get(key) : undefined;
    if (ref === undefined || places.has(ref.key))
      return fail("format/torch-tensor", "a storage that no tensor uses", {
        where,
        got: String(key),
      });
    const count = cursor(await source.read(at, at + 8), { where, code: "format/torch" }).u64();
    const start = at + 8;
    at = start + count * widthOf(ref);
    checkSize(ref, at - start, where);
    check(at <= source.size, "format/torch-length", "a storage runs past the end of the file", {
      where,
      got: `byte ${at}`,
      wanted: `at most ${source.size}`,
      hint: "the download may be incomplete",
    });
    places.set(ref.key, [start, at]);
  }
  const lost = [...refs.keys()].find((key) => !places.has(key));
  check(lost === undefined, "format/torch-tensor", "a storage is missing", { where, got: lost });
  return { value, places };
}
