// How are names, numbers and times written, everywhere in the app?
import type { DictionarySummary, Estimate, Piece, Verdict } from "../src/api/types.ts";

const spelled: Record<string, string> = {
  dna: "DNA",
  json: "JSON",
  uuid: "UUID",
  uuids: "UUIDs",
  latex: "LaTeX",
  html: "HTML",
  sql: "SQL",
  pem: "PEM",
  url: "URL",
  css: "CSS",
  javascript: "JavaScript",
  typescript: "TypeScript",
  python: "Python",
};
const languages =
  "arabic hebrew chinese japanese korean hindi russian greek thai german french spanish turkish english italian portuguese cyrillic";
for (const name of languages.split(" ")) spelled[name] = name[0]!.toUpperCase() + name.slice(1);

/** `court-ruling` → "court ruling", `base64-english` → "base64 English". */
export function words(id: string): string {
  return id
    .split(/[-_]/)
    .map((part) => spelled[part.toLowerCase()] ?? part)
    .join(" ");
}

const minus = (text: string): string => text.replace("-", "−");

export function int(n: number): string {
  return minus(String(Math.round(n))).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function fixed(x: number, digits = 2): string {
  const text = x.toFixed(digits);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

export function signed(x: number, digits = 2): string {
  return (x > 0 ? "+" : "") + fixed(x, digits);
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export function power(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((d) => superscripts[Number(d)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** 2.9e-6 → "2.9 × 10⁻⁶". */
export function scientific(x: number): string {
  if (x === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(x)));
  return `${fixed(x / 10 ** exponent, 1)} × ${power(exponent)}`;
}

/** A share as a percentage with the digits that it needs. */
export function percent(share: number): string {
  const p = share * 100;
  if (p === 0) return "0 %";
  if (p < 0.005) return "<.005 %";
  return `${fixed(p, p >= 99.95 ? 0 : p >= 10 ? 1 : 2)} %`;
}

export function wholePercent(share: number): string {
  if (share > 0 && share < 0.005) return "<1 %";
  if (share < 1 && share > 0.995) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

/** 1,050,000 → "1.05 M". */
export function short(n: number): string {
  if (n >= 999_500) return `${trim((n / 1e6).toPrecision(3))} M`;
  if (n >= 10_000) return `${trim((n / 1e3).toPrecision(3))} k`;
  return int(n);
}

const trim = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

export function bytes(n: number): string {
  return n >= 1e9 ? `${fixed(n / 1e9, 2)} GB` : `${int(n / 1e6)} MB`;
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** Digits after the point that the interval supports: one or two of its half width, at most three. */
export function digitsOf(estimate: Estimate): number {
  if (estimate.low === null || estimate.high === null)
    return Math.abs(estimate.value) >= 10 ? 1 : 2;
  const half = (estimate.high - estimate.low) / 2;
  if (!(half > 0)) return Math.abs(estimate.value) >= 10 ? 1 : 2;
  const one = -Math.floor(Math.log10(half));
  return half < 1 ? Math.min(3, Math.max(2, one)) : 0;
}

/** The value with the digits that its interval supports; `<.005` rather than 0.00. */
export function figure(estimate: Estimate, digits = digitsOf(estimate)): string {
  const text = fixed(estimate.value, digits);
  if (estimate.value > 0 && Number(text) === 0 && digits > 0)
    return `<${(0.5 / 10 ** digits).toFixed(digits + 1).slice(1)}`;
  return text;
}

export function plusMinus(estimate: Estimate, digits = digitsOf(estimate)): string {
  if (estimate.low === null || estimate.high === null) return "";
  const half = (estimate.high - estimate.low) / 2;
  const off = Math.abs((estimate.high + estimate.low) / 2 - estimate.value);
  // ± would promise as much above as below.
  if (off > half / 3 && half >= 0.05)
    return `${fixed(estimate.low, digits)}–${fixed(estimate.high, digits)}`;
  return `±${half.toFixed(digits)}`;
}

export const verdictWord: Record<Verdict, string> = {
  holds: "holds",
  fails: "fails",
  undecided: "undecided",
  pending: "control pending",
};

export const controlWord: Record<string, string> = {
  "permuted-weights": "same training, weights permuted",
  "data-points": "untrained data points as features",
  "step-0": "the model before its first step",
  "random-directions": "random directions",
  "density-matched": "a feature of equal density",
  constant: "a constant",
};

export const baselineWord: Record<string, string> = {
  "best-neuron": "best neuron",
  "layer-wide-dictionary": "dictionary as wide as the layer",
  "random-directions": "as many random directions",
  "data-points": "untrained data points",
  pca: "PCA",
  "top-neurons": "top neurons",
  "linear-probe": "linear probe, a ceiling",
  "token-table": "table by token",
  "bigram-table": "table by bigram",
};

export interface UnitWords {
  one: string;
  many: string;
  One: string;
  Many: string;
  /** What they make up. */
  whole: string;
  neuron: boolean;
}

export const unitWords: Record<DictionarySummary["unit"], UnitWords> = {
  feature: {
    one: "feature",
    many: "features",
    One: "Feature",
    Many: "Features",
    whole: "dictionary",
    neuron: false,
  },
  neuron: {
    one: "neuron",
    many: "neurons",
    One: "Neuron",
    Many: "Neurons",
    whole: "layer",
    neuron: true,
  },
};

/** A number keeps its percent sign and a short word its neighbour when a sentence breaks. */
export function tied(text: string): string {
  return text.replace(/(\d) %/g, "$1\u00a0%");
}

/** A token alone: ␣ for a leading space, ◌ under a combining mark, the marks for line ends. */
export function tokenWord(piece: Piece): string {
  if (piece.special) return piece.special;
  if (piece.hex) return spacedHex(piece.hex);
  return piece.text
    .replace(/^ /, "␣")
    .replace(/^\p{M}/u, "◌$&")
    .replace(/\n/g, "↵")
    .replace(/\t/g, "⇥")
    .slice(0, 200);
}

/** "F09F" → "F0 9F". */
export function spacedHex(hex: string): string {
  return hex
    .replace(/[^0-9a-fA-F]/g, "")
    .toUpperCase()
    .replace(/(..)(?=.)/g, "$1 ");
}

const langs: Record<string, string> = {
  arabic: "ar",
  hebrew: "he",
  chinese: "zh",
  japanese: "ja",
  korean: "ko",
  hindi: "hi",
  russian: "ru",
  greek: "el",
  thai: "th",
  german: "de",
  french: "fr",
  spanish: "es",
  turkish: "tr",
};

/** The language of a passage, where its context names one. */
export function langOf(context: string): string | undefined {
  return langs[context];
}

/** `blocks.0.mlp.hook_post` → "0, mlp". */
export function layerOf(site: string): string {
  const match = /blocks\.(\d+)\.(\w+)/.exec(site);
  return match ? `${match[1]}, ${match[2]!.replace(/^hook_/, "").replace(/_/g, " ")}` : site;
}

/** `field-1l-sae-2048-k32-s0` of `field-1l` → "sae-2048-k32-s0". */
export function shortDictionary(id: string, model?: string): string {
  return model && id.startsWith(`${model}-`) ? id.slice(model.length + 1) : id;
}

/** With its capital and its full stop. */
export function sentence(text: string): string {
  const said = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(said) ? said : `${said}.`;
}

/** A name is a context's id, or a token "in" a context, or words already. */
export function nameWords(name: string): string {
  if (/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return words(name);
  return name.replace(
    /( in )([a-z0-9]+(?:-[a-z0-9]+)*)$/,
    (_, into: string, id: string) => into + words(id),
  );
}

/** Digits of the largest index, so that numbers stand in a column: "0067". */
export function indexWord(index: number, d_sae = 10_000): string {
  return String(index).padStart(String(d_sae - 1).length, "0");
}
