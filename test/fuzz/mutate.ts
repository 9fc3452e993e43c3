// How is a good file made into a bad one? A few random changes of the kinds that break readers.
import { type Random, random } from "../../src/base/random.ts";

export type Mutate = (seeds: readonly Uint8Array[], rng: Random) => Uint8Array;

type Change = (bytes: Buffer, rng: Random, seeds: readonly Uint8Array[]) => Buffer;

const mostBytes = 1 << 16;

const flipBit: Change = (bytes, rng) => {
  if (bytes.length > 0) bytes[rng.int(bytes.length)]! ^= 1 << rng.int(8);
  return bytes;
};

const setByte: Change = (bytes, rng) => {
  if (bytes.length > 0)
    bytes[rng.int(bytes.length)] = rng.pick([0, 1, 0x7f, 0x80, 0xff, rng.int(256)]);
  return bytes;
};

const truncate: Change = (bytes, rng) => bytes.subarray(0, rng.int(bytes.length + 1));

/** A length, count or offset that is far too large, or off by one. */
const blowUp: Change = (bytes, rng) => {
  const width = rng.pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = rng.int(bytes.length - width + 1);
  const large = [
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 53n,
    2n ** 40n,
    2n ** 32n - 1n,
    2n ** 31n - 1n,
    2n ** 31n,
  ];
  const near = [
    BigInt(bytes.length),
    BigInt(bytes.length + 1),
    BigInt(bytes[at]!) + 1n,
    65535n,
    0n,
  ];
  const value = rng.pick([...large, ...near]) & (2n ** BigInt(8 * width) - 1n);
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
  return bytes;
};

const cutOut: Change = (bytes, rng) => {
  const [from, to] = stretch(bytes, rng);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
};

const copyWithin: Change = (bytes, rng) => {
  const [from, to] = stretch(bytes, rng);
  bytes.copy(bytes, rng.int(bytes.length + 1), from, to);
  return bytes;
};

const splice: Change = (bytes, rng, seeds) => {
  const other = rng.pick(seeds);
  const [from, to] = stretch(other, rng);
  const at = rng.int(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)]);
};

/** One byte or a short piece many times over: openings that nest, where the format nests. */
const repeat: Change = (bytes, rng) => {
  const length = 1 + rng.int(6);
  const from = rng.int(bytes.length + 1);
  const times = rng.pick([2, 8, 40, 300, 3000]);
  const piece = rng.pick([
    bytes.subarray(from, from + length),
    Buffer.from(rng.pick(["[", '{"a":', "]", "}", "(", "\x85"]), "latin1"),
  ]);
  const many = Buffer.concat(Array.from({ length: Math.min(times, 20_000) }, () => piece));
  return Buffer.concat([bytes.subarray(0, from), many, bytes.subarray(from)]);
};

function stretch(bytes: Uint8Array, rng: Random): [from: number, to: number] {
  const from = rng.int(bytes.length + 1);
  return [from, Math.min(bytes.length, from + rng.int(rng.pick([4, 32, 1024]) + 1))];
}

const changes: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  truncate,
  blowUp,
  blowUp,
  cutOut,
  copyWithin,
  splice,
  repeat,
];

export const mutateBytes: Mutate = (seeds, rng) => {
  let bytes: Buffer = Buffer.from(rng.pick(seeds));
  const n = 1 + rng.int(4);
  for (let i = 0; i < n; i++) bytes = rng.pick(changes)(bytes, rng, seeds);
  return new Uint8Array(bytes.subarray(0, mostBytes));
};

const oddities = [
  "null",
  "true",
  "-1",
  "0",
  "0.5",
  "1e308",
  "1e999",
  "2147483647",
  "9007199254740993",
  "[]",
  "{}",
  '""',
  '"constructor"',
  '"__proto__"',
  '"\\ud800"',
  '"toString"',
  "[[[[[[1]]]]]]",
  '{"a":{"a":{"a":1}}}',
  `${"[".repeat(5000)}${"]".repeat(5000)}`,
];

/** JSON that stays JSON: one value, key or element is another. Now and then the text is broken too. */
export const mutateJson: Mutate = (seeds, rng) => {
  if (rng.int(4) === 0) return mutateBytes(seeds, rng);
  const text = Buffer.from(rng.pick(seeds)).toString();
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/g)];
  const chosen = new Set(Array.from({ length: 1 + rng.int(3) }, () => rng.int(tokens.length)));
  let made = "";
  let at = 0;
  for (const i of [...chosen].sort((a, b) => a - b)) {
    const { index, 0: token } = tokens[i]!;
    const other = rng.int(3) === 0 ? rng.pick(tokens)[0] : rng.pick(oddities);
    const isKey = text[index + token.length] === ":";
    made += text.slice(at, index) + (isKey && !other.startsWith('"') ? '"__proto__"' : other);
    at = index + token.length;
  }
  return new Uint8Array(Buffer.from(made + text.slice(at)).subarray(0, mostBytes));
};

/** The same input for the same number, on every machine. */
export function mutant(mutate: Mutate, seeds: readonly Uint8Array[], i: number): Uint8Array {
  return mutate(seeds, random(i).stream("fuzz"));
}
