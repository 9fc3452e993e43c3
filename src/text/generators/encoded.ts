// Bytes written in letters: base64 of three kinds of content, and hexadecimal.
import type { Random } from "../../base/random.ts";
import { grammar } from "./english.ts";
import {
  around,
  documentLength,
  fill,
  isEmbedded,
  letters,
  own,
  type Part,
  type Writer,
  wrap,
} from "./part.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += alphabet[word >> 18]! + alphabet[(word >> 12) & 63]!;
    text += left > 1 ? alphabet[(word >> 6) & 63]! : "=";
    text += left > 2 ? alphabet[word & 63]! : "=";
  }
  return text;
}

const randomBytes = (rng: Random, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => rng.int(256));

export const base64Random: Writer = (rng) =>
  encoded(rng, (length) => randomBytes(rng, length), base64Carriers);

export const base64English: Writer = (rng, english) =>
  encoded(
    rng,
    (length) => {
      let text = english();
      while (text.length < length) text += ` ${english()}`;
      return new TextEncoder().encode(text).subarray(0, length);
    },
    textCarriers,
  );

export const base64Digits: Writer = (rng) =>
  encoded(
    rng,
    (length) => new TextEncoder().encode(letters(rng, "0123456789", length)),
    textCarriers,
  );

/** Four characters for three bytes: one line, or lines of 64 or 76, or short values in carriers. */
function encoded(
  rng: Random,
  content: (bytes: number) => Uint8Array,
  carriers: (rng: Random) => [string, string],
): Part[] {
  const length = documentLength(rng);
  if (!isEmbedded(rng)) {
    const text = base64(content(Math.floor((length * 3) / 4)));
    const width = rng.pick([0, 0, 64, 76]);
    return [own(width === 0 ? text : wrap(text, width))];
  }
  return fill(
    length,
    () => {
      const [before, after] = carriers(rng);
      const value = base64(content(66 + rng.int(60)));
      return [around(before), own(value), around(after)];
    },
    around("\n"),
  );
}

function base64Carriers(rng: Random): [string, string] {
  const name = letters(rng, "abcdefghijklmnopqrstuvwxyz", 3 + rng.int(6));
  return rng.pick<[string, string]>([
    [`      "integrity": "sha512-`, `",`],
    [`ssh-rsa `, ` ${name}@host`],
    [`X-Signature: `, ""],
    [`${name.toUpperCase()}_KEY=`, ""],
    [`<img alt="${name}" src="data:image/png;base64,`, `">`],
    [`const ${name} = "`, `";`],
    ["The public key is ", `, and ${grammar(rng, 24)}`],
  ]);
}

function textCarriers(rng: Random): [string, string] {
  const name = letters(rng, "abcdefghijklmnopqrstuvwxyz", 3 + rng.int(6));
  return rng.pick<[string, string]>([
    [`{"body": "`, `"}`],
    ["Authorization: Basic ", ""],
    [`X-${name}: `, ""],
    [`echo '`, `' | base64 -d`],
    [`${name}=`, ""],
    [`data:text/plain;base64,`, ""],
    ["The message reads ", `, and ${grammar(rng, 24)}`],
  ]);
}

export const hexadecimal: Writer = (rng) => {
  const length = documentLength(rng);
  const digits = rng.uniform() < 0.85 ? "0123456789abcdef" : "0123456789ABCDEF";
  const hex = (n: number): string => letters(rng, digits, n);
  const size = rng.pick([32, 40, 64, 64]);
  if (isEmbedded(rng)) {
    const [before, after] = rng.pick<[string, string]>([
      ["commit ", ""],
      [`"sha256": "`, `",`],
      ["ETag: ", ""],
      ["0x", ","],
      ["checksum ", ` ${grammar(rng, 16)}`],
    ]);
    return fill(length, () => [around(before), own(hex(size)), around(after)], around("\n"));
  }
  const style = rng.uniform();
  if (style < 0.4) return [own(hex(length))];
  if (style < 0.8) return fill(length, () => [own(hex(size))]);
  return fill(length, () => [own(Array.from({ length: 16 }, () => hex(2)).join(" "))]);
};
