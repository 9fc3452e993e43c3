// How do examples stand one under another, each on its peak?
import { useEffect, useRef } from "react";
import type { Strip as StripData } from "../../src/api/types.ts";
import { fixed, langOf, tokenWord, words } from "../words.ts";
import { Strip } from "./strip.tsx";

const reach = { before: 26, after: 30 };

/** The open example of a list and the token that is looked at there, as the address holds them. */
export interface OpenAt {
  example: number;
  /** Null until an arrow key or a click chooses one. */
  token: number | null;
}

function Half({ strip, max, side }: { strip: StripData; max: number; side: "before" | "after" }) {
  const from = side === "before" ? Math.max(0, strip.peak - reach.before) : strip.peak;
  const to =
    side === "before" ? strip.peak : Math.min(strip.pieces.length, strip.peak + reach.after);
  return (
    <Strip
      pieces={strip.pieces.slice(from, to)}
      acts={strip.acts.slice(from, to)}
      peak={side === "after" ? 0 : undefined}
      max={max}
      dir={strip.dir}
      lang={langOf(strip.context)}
    />
  );
}

/** The arrows go where the eye goes: to the left is onwards in a right-to-left passage. */
export function walked(strip: StripData, token: number | null, step: 1 | -1): number {
  if (token === null) return strip.peak;
  const next = token + (strip.dir === "rtl" ? -step : step);
  return Math.min(strip.pieces.length - 1, Math.max(0, next));
}

interface ExampleProps {
  strip: StripData;
  max: number;
  tabIndex: number;
  /** Null where it is closed. */
  open: OpenAt | null;
  onOpen: (open: Omit<OpenAt, "example"> | null) => void;
}

function Example({ strip, max, tabIndex, open, onOpen }: ExampleProps) {
  const rtl = strip.dir === "rtl";
  const sides = rtl ? (["after", "before"] as const) : (["before", "after"] as const);
  const toggle = () => onOpen(open === null ? { token: null } : null);
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a button may not hold the strip's own spans */}
      <div
        className="kw"
        role="button"
        tabIndex={tabIndex}
        aria-expanded={open !== null}
        data-example
        onClick={toggle}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          event.stopPropagation();
          toggle();
        }}
      >
        <span className="v">{fixed(strip.value)}</span>
        <span className="bf">
          <Half strip={strip} max={max} side={sides[0]} />
        </span>
        <span className="af">
          <Half strip={strip} max={max} side={sides[1]} />
        </span>
        <span className="cx">{words(strip.context)}</span>
      </div>
      {open !== null && <Opened strip={strip} max={max} token={open.token} onOpen={onOpen} />}
    </>
  );
}

function Opened({
  strip,
  max,
  token,
  onOpen,
}: Pick<ExampleProps, "strip" | "max" | "onOpen"> & { token: number | null }) {
  const piece = token === null ? undefined : strip.pieces[token];
  const ref = useRef<HTMLDivElement>(null);
  // An example that the address opened may lie below the fold.
  useEffect(() => {
    ref.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return (
    <div className="opened" ref={ref}>
      <Strip
        pieces={strip.pieces}
        acts={strip.acts}
        peak={strip.peak}
        max={max}
        dir={strip.dir}
        lang={langOf(strip.context)}
        selected={token ?? undefined}
        onPick={(next) => onOpen({ token: next === token ? null : next })}
        wrap
      />
      <p className="micro" role="status">
        {piece && token !== null ? (
          <>
            token {token + 1} of {strip.pieces.length}{" "}
            <span className="spec">{tokenWord(piece)}</span>{" "}
            {strip.acts[token] ? fixed(strip.acts[token]!) : "not active"} ·{" "}
          </>
        ) : (
          <>peak {fixed(strip.value)} · ← → token by token · </>
        )}
        {words(strip.context)} · <span className="spec">{strip.document}</span>
      </p>
    </div>
  );
}

/** In a right-to-left row the two halves change sides about the same axis. */
export function Concordance({
  examples,
  max,
  entry = false,
  open,
  onOpen,
}: {
  examples: readonly StripData[];
  max: number;
  /** The first row of this list is where Tab enters. */
  entry?: boolean;
  open: OpenAt | null;
  onOpen: (open: OpenAt | null) => void;
}) {
  return examples.map((strip, i) => (
    <Example
      // Two examples may come from one document.
      key={`${strip.document}:${i}`}
      strip={strip}
      max={max}
      tabIndex={(entry && i === 0) || open?.example === i ? 0 : -1}
      open={open?.example === i ? open : null}
      onOpen={(next) => onOpen(next && { example: i, ...next })}
    />
  ));
}
