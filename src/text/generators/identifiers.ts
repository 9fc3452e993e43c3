// Strings that name something: DNA, UUIDs, telephone numbers.
import type { Random } from "../../base/random.ts";
import { grammar } from "./english.ts";
import {
  around,
  documentLength,
  fill,
  isEmbedded,
  letters,
  own,
  type Writer,
  wrap,
} from "./part.ts";

export const dna: Writer = (rng) => {
  const length = documentLength(rng);
  const lower = rng.uniform() < 0.25;
  // Real sequences are not uniform: each has its own share of C and G.
  const alphabet = rng.pick(["ACGT", "AACGT", "ACGTT", "AACGTT", "ACCGGT"]);
  const bases = letters(rng, lower ? alphabet.toLowerCase() : alphabet, length);
  const text = rng.uniform() < 0.5 ? bases : wrap(bases, rng.pick([60, 70, 80]));
  if (!isEmbedded(rng)) return [own(text)];
  return rng.uniform() < 0.5
    ? [around(`>seq${rng.int(1e5)} ${grammar(rng, 24)}\n`), own(text)]
    : [around(`The fragment reads `), own(bases), around(`. ${grammar(rng, 60)}`)];
};

const hex = "0123456789abcdef";

function uuid4(rng: Random): string {
  const part = (n: number): string => letters(rng, hex, n);
  return `${part(8)}-${part(4)}-4${part(3)}-${rng.pick([..."89ab"])}${part(3)}-${part(12)}`;
}

export const uuid: Writer = (rng) => {
  const length = documentLength(rng);
  const upper = rng.uniform() < 0.15;
  const one = (): string => (upper ? uuid4(rng).toUpperCase() : uuid4(rng));
  if (!isEmbedded(rng)) {
    const between = rng.pick(["\n", "\n", ", ", " "]);
    return fill(length, () => [own(one())], own(between));
  }
  const [before, after] = rng.pick<[string, string]>([
    [`"id": "`, `",`],
    ["request_id=", ""],
    ["urn:uuid:", ""],
    [`<item id="`, `"/>`],
  ]);
  return fill(length, () => [around(before), own(one()), around(after)], around("\n"));
};

/** `#` is any digit, `N` one from 2 to 9. */
const phoneForms = [
  "+1 (N##) N##-####",
  "(N##) N##-####",
  "N##-N##-####",
  "+44 20 #### ####",
  "+49 ### #######",
  "+33 # ## ## ## ##",
  "+34 ### ## ## ##",
  "+972-5#-###-####",
  "+7 (9##) ###-##-##",
  "+81 #0-####-####",
  "+86 1## #### ####",
  "0## ### ## ##",
];

function digits(rng: Random, form: string): string {
  return form.replace(/[#N]/g, (mark) => String(mark === "N" ? 2 + rng.int(8) : rng.int(10)));
}

export const phone: Writer = (rng) => {
  const length = documentLength(rng);
  const forms = rng.shuffle([...phoneForms]).slice(0, 1 + rng.int(4));
  const one = (): string => digits(rng, rng.pick(forms));
  if (!isEmbedded(rng))
    return fill(length, () => [own(one())], own(rng.pick(["\n", "\n", "; ", ", "])));
  const before = rng.pick(["Tel. ", "Phone: ", "Fax ", "call "]);
  return fill(length, () => [around(before), own(one())], around(rng.pick(["\n", "; ", ", "])));
};
