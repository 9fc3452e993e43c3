// How do examples stand one under another, each on its peak?
import { useState } from "react";
import type { Strip as StripData } from "../../src/api/types.ts";
import { fixed, langOf, words } from "../words.ts";
import { Strip } from "./strip.tsx";

const reach = { before: 26, after: 30 };

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

function Example({ strip, max, tabIndex }: { strip: StripData; max: number; tabIndex: number }) {
  const [open, setOpen] = useState(false);
  const rtl = strip.dir === "rtl";
  const sides = rtl ? (["after", "before"] as const) : (["before", "after"] as const);
  const toggle = () => setOpen(!open);
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a button may not hold the strip's own spans */}
      <div
        className="kw"
        role="button"
        tabIndex={tabIndex}
        aria-expanded={open}
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
      {open && (
        <div className="opened">
          <Strip
            pieces={strip.pieces}
            acts={strip.acts}
            peak={strip.peak}
            max={max}
            dir={strip.dir}
            lang={langOf(strip.context)}
            wrap
          />
          <p className="micro">
            {fixed(strip.value)} · {words(strip.context)} ·{" "}
            <span className="spec">{strip.document}</span>
          </p>
        </div>
      )}
    </>
  );
}

/** In a right-to-left row the two halves change sides about the same axis. */
export function Concordance({
  examples,
  max,
  entry = false,
}: {
  examples: readonly StripData[];
  max: number;
  /** The first row of this list is where Tab enters. */
  entry?: boolean;
}) {
  return examples.map((strip, i) => (
    <Example
      // Two examples may come from one document.
      key={`${strip.document}:${i}`}
      strip={strip}
      max={max}
      tabIndex={entry && i === 0 ? 0 : -1}
    />
  ));
}
