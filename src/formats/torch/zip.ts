// Where do the entries of a zip archive lie? Stored entries only, zip64 included. PKWARE's APPNOTE.TXT, 4.3.
import { check, fail } from "../../base/errors.ts";
import { type Cursor, cursor, type Source } from "../cursor.ts";

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly method: number;
  readonly encrypted: boolean;
  /** Where its local header begins; the data lie behind that. */
  readonly header: number;
}

const code = "format/zip";
const all32 = 0xffffffff;
const endLength = 22;

/** Name → entry, from the directory at the end of the file. */
export async function readZipDirectory(source: Source): Promise<Map<string, ZipEntry>> {
  const { start, end, count } = await findDirectory(source);
  const c = cursor(await source.read(start, end), { where: source.where, code });
  check(count * 46 <= c.left(), `${code}-directory`, "the directory is too short", {
    where: source.where,
    got: `${c.left()} bytes`,
    wanted: `${count} entries`,
  });
  const entries = new Map<string, ZipEntry>();
  for (let i = 0; i < count; i++) {
    const entry = readEntry(c);
    check(!entries.has(entry.name), `${code}-directory`, "two entries have one name", {
      where: source.where,
      got: entry.name,
    });
    entries.set(entry.name, entry);
  }
  return entries;
}

async function findDirectory(
  source: Source,
): Promise<{ start: number; end: number; count: number }> {
  const { where, size } = source;
  // The end record may be followed by a comment of up to 65,535 bytes.
  const from = Math.max(0, size - endLength - 65535);
  const tail = await source.read(from, size);
  let at = tail.length - endLength;
  while (at >= 0 && !(isSignature(tail, at, 5, 6) && commentFits(tail, at))) at--;
  check(at >= 0, `${code}-end`, "the archive has no end: it may be cut off", {
    where,
    hint: "the download may be incomplete",
  });
  const fields = cursor(tail.subarray(at + 10), { where, code });
  let [count, length, start] = [fields.u16(), fields.u32(), fields.u32()];
  if (isZip64(tail, at)) ({ count, length, start } = await readZip64End(source, tail, at));
  check(start + length <= size, `${code}-end`, "the directory lies outside the file", {
    where,
    got: `bytes ${start} to ${start + length}`,
    wanted: `at most ${size}`,
  });
  return { start, end: start + length, count };
}

function isSignature(bytes: Uint8Array, at: number, a: number, b: number): boolean {
  return bytes[at] === 0x50 && bytes[at + 1] === 0x4b && bytes[at + 2] === a && bytes[at + 3] === b;
}

function commentFits(bytes: Uint8Array, at: number): boolean {
  return at + endLength + (bytes[at + 20]! | (bytes[at + 21]! << 8)) === bytes.length;
}

/** A locator of the larger end record stands right before the small one. */
function isZip64(tail: Uint8Array, at: number): boolean {
  return at >= 20 && isSignature(tail, at - 20, 6, 7);
}

async function readZip64End(source: Source, tail: Uint8Array, at: number) {
  const locator = cursor(tail.subarray(at - 20, at), { where: source.where, code });
  locator.bytes(8);
  const place = locator.u64();
  const record = await source.read(place, place + 56);
  check(
    isSignature(record, 0, 6, 6),
    `${code}-end`,
    "the zip64 end record is not where it should be",
    {
      where: source.where,
      got: `byte ${place}`,
    },
  );
  const c = cursor(record.subarray(32), { where: source.where, code });
  return { count: c.u64(), length: c.u64(), start: c.u64() };
}

function readEntry(c: Cursor): ZipEntry {
  check(c.u32() === 0x02014b50, `${code}-directory`, "the directory is broken", { where: c.where });
  c.bytes(4);
  const flags = c.u16();
  const method = c.u16();
  c.bytes(8);
  const [packed, size, nameLength, extraLength, commentLength] = [
    c.u32(),
    c.u32(),
    c.u16(),
    c.u16(),
    c.u16(),
  ];
  c.bytes(8);
  const header = c.u32();
  const name = c.text(nameLength);
  const large = readZip64Extra(c.bytes(extraLength), { size, packed, header }, c.where);
  c.bytes(commentLength);
  check(
    method !== 0 || large.size === large.packed,
    `${code}-directory`,
    "two sizes of one entry",
    {
      where: `${c.where}: ${name}`,
      got: `${large.size} and ${large.packed} bytes`,
    },
  );
  return { name, size: large.size, method, encrypted: (flags & 1) !== 0, header: large.header };
}

/** Fields that are all ones stand in the extra field instead, in this order. */
function readZip64Extra(
  extra: Uint8Array,
  fields: { size: number; packed: number; header: number },
  where: string,
) {
  const c = cursor(extra, { where, code });
  while (c.left() >= 4) {
    const [id, length] = [c.u16(), c.u16()];
    if (length > c.left()) break;
    const part = cursor(c.bytes(length), { where, code });
    if (id !== 1) continue;
    const { size, packed, header } = fields;
    return {
      size: size === all32 ? part.u64() : size,
      packed: packed === all32 ? part.u64() : packed,
      header: header === all32 ? part.u64() : header,
    };
  }
  return fields;
}

/** Bytes [start, end) of an entry's data. Refuses what is compressed or encrypted. */
export async function placeOf(
  source: Source,
  entry: ZipEntry,
): Promise<[start: number, end: number]> {
  const where = `${source.where}: ${entry.name}`;
  if (entry.method !== 0 || entry.encrypted)
    fail(
      `${code}-stored`,
      "the entry is compressed or encrypted; PyTorch stores entries as they are",
      {
        where,
        got: `method ${entry.method}`,
        wanted: "method 0",
        hint: "pack the archive again without compression (zip -0)",
      },
    );
  const c = cursor(await source.read(entry.header, entry.header + 30), { where, code });
  check(c.u32() === 0x04034b50, `${code}-directory`, "the entry is not where it should be", {
    where,
  });
  c.bytes(22);
  const start = entry.header + 30 + c.u16() + c.u16();
  check(start + entry.size <= source.size, `${code}-directory`, "the entry lies outside the file", {
    where,
    got: `bytes ${start} to ${start + entry.size}`,
    wanted: `at most ${source.size}`,
  });
  return [start, start + entry.size];
}
