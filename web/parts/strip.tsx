// How is a stretch of text drawn with one feature's activations?
import { type MouseEvent, memo, type ReactNode } from "react";
import type { Piece, Strip as StripData } from "../../src/api/types.ts";
import { useMarks } from "../app/hooks.ts";
import { fixed, langOf, tokenWord } from "../words.ts";
import { characterRuns, pieceText } from "./pieces.tsx";

/** `ceil(16 · |a| / max)`, linear, signed; 0 only where nothing is active. */
export function levelOf(act: number, max: number): number {
  if (act === 0 || !(max > 0)) return 0;
  return Math.sign(act) * Math.min(16, Math.max(1, Math.ceil((16 * Math.abs(act)) / max)));
}

export interface StripProps {
  pieces: readonly Piece[];
  acts: ArrayLike<number>;
  /** The feature's peak over the whole record. */
  max: number;
  peak?: number;
  dir?: "ltr" | "rtl";
  lang?: string;
  wrap?: boolean;
  marks?: boolean;
  selected?: number;
  /** Index of the first piece, for `data-i`. */
  first?: number;
  onPick?: (index: number) => void;
  /** Said after the text by screen readers; false where the row says it. */
  spoken?: boolean;
}

function token(piece: Piece, i: number, props: StripProps): ReactNode {
  const act = props.acts[i] ?? 0;
  const level = levelOf(act, props.max);
  const names = [
    act !== 0 && i === props.peak ? "pk" : "",
    level < 0 ? "neg-a" : "",
    i === props.selected ? "sel" : "",
  ].filter(Boolean);
  return (
    <i
      key={i}
      className={names.length > 0 ? names.join(" ") : undefined}
      data-a={level === 0 ? undefined : level}
      data-i={props.onPick ? (props.first ?? 0) + i : undefined}
      title={act === 0 ? undefined : fixed(act)}
    >
      {pieceText(piece, { active: act !== 0, breaks: props.wrap, marks: props.marks })}
    </i>
  );
}

/** All tokens as inline spans, nothing absolute, so that the bidi algorithm orders them. */
function Tokens(props: StripProps): ReactNode[] {
  const { pieces } = props;
  const out: ReactNode[] = [];
  const runs = characterRuns(pieces);
  let run = 0;
  for (let i = 0; i < pieces.length; i++) {
    const here = runs[run];
    if (here === undefined || i !== here.from) {
      out.push(token(pieces[i]!, i, props));
      continue;
    }
    const { from, to, character } = here;
    out.push(
      <span key={`c${from}`} className="char" title={`${character}, ${to - from} tokens`}>
        {pieces.slice(from, to).map((piece, j) => token(piece, from + j, props))}
      </span>,
    );
    i = to - 1;
    run++;
  }
  return out;
}

function indexAt(event: MouseEvent): number | null {
  const at = (event.target as Element).closest("[data-i]")?.getAttribute("data-i");
  return at === null || at === undefined ? null : Number(at);
}

export const Strip = memo(function Strip(props: StripProps) {
  const { pieces, peak, dir = "ltr", wrap = false, spoken = true, onPick } = props;
  const marks = useMarks();
  const act = peak === undefined ? 0 : (props.acts[peak] ?? 0);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the page do the same
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page do the same
    <span
      className={wrap ? "tk wrap" : "tk"}
      dir={dir}
      lang={props.lang}
      onClick={
        onPick &&
        ((event) => {
          const index = indexAt(event);
          if (index !== null) onPick(index);
        })
      }
    >
      {Tokens(marks ? { ...props, marks } : props)}
      {spoken && peak !== undefined && act !== 0 && pieces[peak] && (
        <span className="sr" dir="ltr">{`, peak ${tokenWord(pieces[peak]!)}, ${fixed(act)}`}</span>
      )}
    </span>
  );
});

/** An example in one line, cut by a fade: starts a little before its peak. */
export const StripLine = memo(function StripLine({
  strip,
  max,
  before = 8,
}: {
  strip: StripData;
  max: number;
  before?: number;
}) {
  const from = Math.max(0, strip.peak - before);
  const to = Math.min(strip.pieces.length, strip.peak + 26);
  return (
    <span className="cutoff" dir={strip.dir}>
      <Strip
        pieces={strip.pieces.slice(from, to)}
        acts={strip.acts.slice(from, to)}
        peak={strip.peak - from}
        max={max}
        dir={strip.dir}
        lang={langOf(strip.context)}
      />
    </span>
  );
});
