// Reading small fields one after another, from a file of which only the beginning was fetched.
import { check, fail } from "../base/errors.ts";
import type { Store } from "../storage/store.ts";

/** Bytes by position; a position past the end is refused before anything is allocated. */
export interface Source {
  readonly where: string;
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
}

export async function openSource(store: Store, key: string): Promise<Source> {
  const where = `${store.name}/${key}`;
  const size = await store.size(key);
  if (size === undefined) fail("storage/missing", `no such file: ${key}`, { where: store.name });
  return {
    where,
    size,
    async read(start, end) {
      check(start >= 0 && start <= end && end <= size, "format/range", "the file ends too early", {
        where,
        got: `${size} bytes`,
        wanted: `bytes ${start} to ${end}`,
        hint: "the download may be incomplete",
      });
      return store.getRange(key, start, end);
    },
  };
}

/** Little-endian fields, in order. Every read past the end of the file is refused with `<code>-length`. */
export interface Cursor {
  readonly where: string;
  /** Position in the bytes it was given. */
  at(): number;
  /** Bytes that the file still has. */
  left(): number;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  /** Refuses what a number cannot hold exactly. */
  u64(): number;
  big64(signed: boolean): bigint;
  f32(): number;
  f64(): number;
  /** A view. */
  bytes(length: number): Uint8Array;
  /** UTF-8; refused when it is not. */
  text(length: number): string;
}

/** Thrown, and caught by `parsePrefix`, when the field lies beyond what was fetched. */
const more = new Error("more bytes are needed");

/** `size`: how many bytes there are in truth; `bytes` may be only the first of them. */
export function cursor(
  bytes: Uint8Array,
  { where, code, size = bytes.length }: { where: string; code: string; size?: number },
): Cursor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let at = 0;
  const take = (length: number): number => {
    const start = at;
    if (!(length >= 0 && start + length <= size))
      fail(`${code}-length`, "a field runs past the end of the file", {
        where: `${where}: byte ${start}`,
        got: `${length} bytes`,
        wanted: `at most ${size - start}`,
        hint: "the download may be incomplete",
      });
    if (start + length > bytes.length) throw more;
    at = start + length;
    return start;
  };
  const big64 = (signed: boolean): bigint =>
    signed ? view.getBigInt64(take(8), true) : view.getBigUint64(take(8), true);
  const self: Cursor = {
    where,
    at: () => at,
    left: () => size - at,
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2), true),
    u32: () => view.getUint32(take(4), true),
    i32: () => view.getInt32(take(4), true),
    u64() {
      const value = Number(big64(false));
      check(Number.isSafeInteger(value), `${code}-length`, "a count is too large to be one", {
        where: `${where}: byte ${at - 8}`,
        got: value,
      });
      return value;
    },
    big64,
    f32: () => view.getFloat32(take(4), true),
    f64: () => view.getFloat64(take(8), true),
    bytes(length) {
      const start = take(length);
      return bytes.subarray(start, start + length);
    },
    text(length) {
      const start = take(length);
      try {
        return utf8.decode(bytes.subarray(start, start + length));
      } catch (cause) {
        return fail(`${code}-text`, "a text is not UTF-8", {
          where: `${where}: byte ${start}`,
          cause,
        });
      }
    },
  };
  return self;
}

/** Parses what begins at `start` and whose length nobody knows: fetches 64 kB, then four times as much, … */
export async function parsePrefix<T>(
  source: Source,
  code: string,
  parse: (cursor: Cursor) => T,
  start = 0,
): Promise<T> {
  const size = source.size - start;
  for (let length = 65536; ; length *= 4) {
    const bytes = await source.read(start, start + Math.min(length, size));
    try {
      return parse(cursor(bytes, { where: source.where, code, size }));
    } catch (error) {
      if (error !== more) throw error;
    }
  }
}
