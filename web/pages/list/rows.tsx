// How does one feature stand in a row, and how do thousands of rows keep their true height?
import { Link } from "@tanstack/react-router";
import { memo, type ReactNode } from "react";
import type { FeatureRow } from "../../../src/api/types.ts";
import { MiniHistogram, WeakToStrong } from "../../parts/histogram.tsx";
import { ofReading, Reading, valueClass } from "../../parts/reading.tsx";
import { StripLine } from "../../parts/strip.tsx";
import {
  figure,
  indexWord,
  nameWords,
  percent,
  tokenWord,
  verdictWord,
  words,
} from "../../words.ts";
import { type Sort, sortWords } from "./params.ts";

interface Column {
  key: string;
  head: ReactNode;
  sort?: Sort;
  className?: string;
  width?: string;
  cell: (row: FeatureRow, look: Look) => ReactNode;
}

export interface Look {
  dictionary: string;
  d_sae: number;
  find: string;
}

/** The searched word underlined in a name. */
function marked(text: string, find: string): ReactNode {
  const at = find === "" ? -1 : text.toLowerCase().indexOf(find.toLowerCase());
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + find.length)}</mark>
      {text.slice(at + find.length)}
    </>
  );
}

export const columns: readonly Column[] = [
  {
    key: "index",
    head: "feature",
    sort: "index",
    className: "spec q2",
    width: "56px",
    cell: (row, look) => (
      <Link
        to="/d/$dictionary/$index"
        params={{ dictionary: look.dictionary, index: String(row.index) }}
        tabIndex={-1}
        viewTransition
      >
        {indexWord(row.index, look.d_sae)}
      </Link>
    ),
  },
  {
    key: "name",
    head: "fires on",
    className: "nm",
    cell: (row, look) =>
      row.dead ? (
        <span className="none">dead, has not fired</span>
      ) : row.name === null ? (
        <span className="none">unnamed</span>
      ) : (
        marked(nameWords(row.name), look.find)
      ),
  },
  {
    key: "context",
    head: "best context",
    className: "q2 h-lg",
    width: "104px",
    cell: (row) => (row.best_context === null ? "" : words(row.best_context)),
  },
  {
    key: "reading",
    head: (
      <>
        ◇<span className="h-sm"> control</span> ❘<span className="h-sm"> neuron</span> • r
      </>
    ),
    className: "c-rd",
    cell: (row) =>
      row.reading && (
        <Reading {...ofReading(row.reading)} of={`r with ${words(row.best_context ?? "")}`} />
      ),
  },
  {
    key: "r",
    head: "r",
    sort: "r",
    className: "num",
    width: "44px",
    cell: (row) => {
      if (!row.reading) return "";
      const kind = valueClass(ofReading(row.reading));
      return (
        <span className={kind === "pending" ? "q" : kind === "in" ? "" : "b"}>
          {figure(row.reading.estimate, 2)}
        </span>
      );
    },
  },
  {
    key: "verdict",
    head: "verdict",
    width: "66px",
    cell: (row) =>
      row.reading && (
        <span className={`vw ${row.reading.verdict}`} title={verdictWord[row.reading.verdict]}>
          {row.reading.verdict}
        </span>
      ),
  },
  {
    key: "density",
    head: "density",
    sort: "density",
    className: "num h-sm",
    width: "60px",
    cell: (row) => percent(row.density),
  },
  {
    key: "activation",
    head: "activation",
    className: "h-md",
    width: "82px",
    cell: (row) => !row.dead && <MiniHistogram counts={row.activation} />,
  },
  {
    key: "weak",
    head: "weak → strong",
    className: "h-lg",
    width: "86px",
    cell: (row) => <WeakToStrong shares={row.weak_to_strong} />,
  },
  {
    key: "example",
    head: "strongest example",
    className: "h-md",
    width: "19.5%",
    cell: (row) => row.example && <StripLine strip={row.example} max={row.peak} before={6} />,
  },
  {
    key: "next",
    head: "next token",
    className: "h-lg",
    width: "60px",
    cell: (row) => row.next_token && <span className="spec pos">{tokenWord(row.next_token)}</span>,
  },
];

export function Head({
  sort,
  order,
  unit,
  onSort,
}: {
  sort: Sort;
  order: "asc" | "desc";
  /** What the rows are called. */
  unit: string;
  onSort: (sort: Sort) => void;
}) {
  return (
    <>
      <colgroup>
        {columns.map((c) => (
          <col
            key={c.key}
            className={c.key === "reading" ? "c-rd" : hideOf(c.className)}
            style={{ width: c.width }}
          />
        ))}
      </colgroup>
      <thead>
        <tr>
          {columns.map((c) => {
            const now = c.sort === sort;
            return (
              <th
                key={c.key}
                scope="col"
                className={[c.className?.includes("num") ? "num" : "", hideOf(c.className)]
                  .join(" ")
                  .trim()}
                aria-sort={now ? (order === "asc" ? "ascending" : "descending") : undefined}
              >
                {c.sort === undefined ? (
                  c.head
                ) : (
                  <button
                    type="button"
                    className="plain"
                    title={`order by ${sortWords[c.sort]}`}
                    onClick={() => onSort(c.sort!)}
                  >
                    {c.key === "index" ? unit : c.head}
                    {now ? (order === "asc" ? " ↑" : " ↓") : ""}
                  </button>
                )}
              </th>
            );
          })}
        </tr>
      </thead>
    </>
  );
}

function hideOf(className = ""): string {
  return /h-(lg|md|sm)/.exec(className)?.[0] ?? "";
}

export const Row = memo(function Row({
  row,
  place,
  at,
  entry,
  look,
  onPlace,
}: {
  row: FeatureRow | undefined;
  place: number;
  at: boolean;
  entry: boolean;
  look: Look;
  onPlace: (place: number, open: boolean) => void;
}) {
  if (row === undefined)
    return (
      <tr aria-rowindex={place + 2}>
        {columns.map((c) => (
          <td key={c.key} className={hideOf(c.className)}>
            {c.key === "name" && (
              <span className="sk" style={{ width: `${40 + ((place * 37) % 50)}%` }} />
            )}
          </td>
        ))}
      </tr>
    );
  return (
    <tr
      className={at ? "at" : undefined}
      aria-rowindex={place + 2}
      aria-current={at ? "true" : undefined}
      tabIndex={entry ? 0 : -1}
      data-place={place}
      onClick={(event) => {
        if ((event.target as Element).closest("a")) return;
        onPlace(place, !window.getSelection()?.toString());
      }}
      onFocus={(event) => {
        if (
          event.target === event.currentTarget &&
          !at &&
          event.currentTarget.matches(":focus-visible")
        )
          onPlace(place, false);
      }}
    >
      {columns.map((c) => (
        <td
          key={c.key}
          className={c.className}
          style={at && c.key === "name" ? { viewTransitionName: "feature-name" } : undefined}
        >
          {c.cell(row, look)}
        </td>
      ))}
    </tr>
  );
});
