// Which character becomes which in a SentencePiece model? Reads its precompiled table: a double-array
// trie (as in Darts-clone) over UTF-8, then the replacements, each ended by a zero byte.
import { refuse } from "./refuse.ts";

/** What a piece of text becomes, or undefined when the table does not name it. */
export function readCharsmap(base64: string): (chunk: string) => string | undefined {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length === 0) return () => undefined;
  const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (size < 0 || size % 4 !== 0 || 4 + size > bytes.length)
    refuse("its precompiled_charsmap is cut off", bytes.length, "a table of SentencePiece");
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const made = bytes.subarray(4 + size);
  const utf8 = new TextEncoder();
  return (chunk) => {
    const at = shortestPrefix(units, utf8.encode(chunk));
    if (at === undefined || at >= made.length) return undefined;
    const end = made.indexOf(0, at);
    return made.toString("utf8", at, end < 0 ? made.length : end);
  };
}

/** The value of the shortest key that the bytes begin with. */
function shortestPrefix(units: Uint32Array, key: Uint8Array): number | undefined {
  let node = 0;
  let unit = units[0] ?? 0;
  node ^= offset(unit);
  for (const byte of key) {
    if (byte === 0) return undefined;
    node ^= byte;
    unit = units[node] ?? 0;
    if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
    node ^= offset(unit);
    if (((unit >>> 8) & 1) === 1) return (units[node] ?? 0) & 0x7fffffff;
  }
  return undefined;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}
