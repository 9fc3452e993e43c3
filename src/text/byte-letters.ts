// Which printable letter stands for which byte in a byte-level vocabulary? (GPT-2, Radford 2019)

/** Byte → letter. Printable Latin-1 bytes stand for themselves, the rest for U+0100 onwards. */
export const byteLetters: readonly string[] = makeLetters();

/** Letter → byte. */
export const letterBytes: ReadonlyMap<string, number> = new Map(
  byteLetters.map((letter, byte) => [letter, byte]),
);

/** The 256 letters by code point: the order of the first 256 entries of GPT-2's vocabulary. */
export const letterOrder: readonly string[] = [...byteLetters].sort(
  (a, b) => a.codePointAt(0)! - b.codePointAt(0)!,
);

/** The bytes of a vocabulary entry, or undefined when it has a letter outside the alphabet. */
export function entryBytes(entry: string): Uint8Array | undefined {
  const bytes = new Uint8Array(entry.length); // every letter is one UTF-16 unit
  for (let i = 0; i < entry.length; i++) {
    const byte = letterBytes.get(entry[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** The vocabulary entry of some bytes. */
export function bytesEntry(bytes: Iterable<number>): string {
  let entry = "";
  for (const byte of bytes) entry += byteLetters[byte]!;
  return entry;
}

function makeLetters(): string[] {
  let spare = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    return String.fromCharCode(printable ? byte : spare++);
  });
}
