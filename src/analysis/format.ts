// How are figures and tokens written in a sentence?
import type { Estimate } from "../evidence/claim.ts";
import type { Piece } from "./page.ts";

/** Two decimals, a real minus sign, `<.005` rather than 0.00. */
export function figure(x: number): string {
  const size = Math.abs(x);
  if (size > 0 && size < 0.005) return x < 0 ? "\u2212<.005" : "<.005";
  return `${x < 0 ? "\u2212" : ""}${size.toFixed(2)}`;
}

/** `0.87 (0.86 to 0.88)`. */
export function withInterval({ value, low, high }: Estimate): string {
  if (low === null || high === null) return figure(value);
  return `${figure(value)} (${figure(low)} to ${figure(high)})`;
}

/** A share in percent: whole above 10 %, two significant digits below. */
export function percent(share: number): string {
  const x = share * 100;
  if (x === 0 || x >= 9.95) return `${Math.round(x)} %`;
  return x < 0.001 ? "<0.001 %" : `${Number(x.toPrecision(2))} %`;
}

export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Three significant digits. */
export function activation(x: number): string {
  return x === 0 ? "0" : String(Number(x.toPrecision(3)));
}

/** A token by its exact text, without the leading space that most words have. */
export function quoted({ text, hex, special }: Piece): string {
  if (special !== undefined) return special === "<|endoftext|>" ? "end of text" : special;
  if (hex !== undefined) return `bytes ${hex.replace(/..(?=.)/g, "$& ")}`;
  const word = text.length > 1 && text.startsWith(" ") ? text.slice(1) : text;
  const shown = word.length > 40 ? `${word.slice(0, 40)}…` : word;
  const safe = shown
    .replace(/\n/g, "↵")
    .replace(/\t/g, "⇥")
    .replace(
      /[\p{Cc}\p{Cf}]/gu,
      (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`,
    );
  return `“${/^ +$/.test(safe) ? "·".repeat(safe.length) : safe}”`;
}
