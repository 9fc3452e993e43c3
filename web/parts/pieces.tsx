// How is the text of one token written, whatever it holds?
import type { ReactNode } from "react";
import type { Piece } from "../../src/api/types.ts";
import { spacedHex } from "../words.ts";

/** Controls, zero width, bidi marks and lone surrogates: shown in a frame, never obeyed. */
const unseen =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const split = new RegExp(`([\\n\\t]|${unseen.source})`);
const splitAll = new RegExp(`([\\n\\t ]|${unseen.source})`);
const plain = new RegExp(`^(?:(?!${split.source})[^])*$`);
const longest = 200;

function codeOf(text: string): string {
  return `U+${text.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

export interface PieceLook {
  active: boolean;
  /** Line ends break the line as well (wrapped passages). */
  breaks?: boolean;
  /** Marks for every space and line end, not only the active ones. */
  marks?: boolean;
}

/** What stands inside a token's span: text nodes, marks and frames. */
export function pieceText(piece: Piece, look: PieceLook): ReactNode {
  if (piece.special !== undefined) return <span className="by">{piece.special}</span>;
  if (piece.hex !== undefined) return <span className="by">{spacedHex(piece.hex)}</span>;
  const { text } = piece;
  const { active, breaks = false, marks = false } = look;
  if (text === " ") return active || marks ? <u>·</u> : " ";
  if (text.length > longest)
    return (
      <>
        {text.slice(0, longest)}
        <u> … {(text.length - longest).toLocaleString("en")} more</u>
      </>
    );
  const spaced = marks && text.includes(" ");
  if (!spaced && plain.test(text)) return text;
  return text.split(spaced ? splitAll : split).map((part, i) => {
    // The pieces of one token have no identity but their place.
    const key = `${i}`;
    if (spaced && part === " ") return <u key={key}>·</u>;
    if (part === "\n") return <u key={key}>{breaks ? "↵\n" : "↵"}</u>;
    if (part === "\t") return <u key={key}>⇥</u>;
    if (part !== "" && unseen.test(part))
      return (
        <span key={key} className="by">
          {codeOf(part)}
        </span>
      );
    return part;
  });
}

function bytesOf(hex: string): number[] {
  return (hex.match(/[0-9a-fA-F]{2}/g) ?? []).map((byte) => Number.parseInt(byte, 16));
}

/** Runs of byte tokens that make one character: `[from, to)` and the character, where it is whole. */
export function characterRuns(
  pieces: readonly Piece[],
): { from: number; to: number; character: string }[] {
  const runs: { from: number; to: number; character: string }[] = [];
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i]!.hex === undefined) continue;
    const from = i;
    const all = bytesOf(pieces[i]!.hex!);
    while (i + 1 < pieces.length) {
      const next = pieces[i + 1]!.hex;
      if (next === undefined || (bytesOf(next)[0]! & 0xc0) !== 0x80) break;
      all.push(...bytesOf(next));
      i++;
    }
    const character = new TextDecoder().decode(Uint8Array.from(all));
    runs.push({ from, to: i + 1, character });
  }
  return runs;
}
