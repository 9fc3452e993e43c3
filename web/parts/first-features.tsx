// Which context has a feature already, since when, and how far is it from its control?
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { ContextProgress, RunState } from "../../src/api/types.ts";
import { figure, fixed, indexWord, int, short, words } from "../words.ts";
import { tokenTicks } from "./chart.tsx";
import { Plate } from "./plate.tsx";
import { ofReading, Reading, VerdictWord, valueClass } from "./reading.tsx";
import { StripLine } from "./strip.tsx";

const cells = 100;

/** Mean activation as a share of the peak, look by look, on the run's own axis of tokens. */
const History = memo(function History({
  history,
  now,
  total,
  context,
}: {
  history: ContextProgress["history"];
  now: number;
  total: number;
  context: string;
}) {
  const width = 100 / cells;
  const shades: (number | null)[] = new Array(cells).fill(null);
  let from = 0;
  for (const [tokens, share] of history) {
    const to = Math.min(cells - 1, Math.floor((tokens / total) * cells - 1e-9));
    // A look stands for the stretch since the look before.
    for (let i = from; i <= to; i++) shades[i] = share;
    from = Math.max(from, to + 1);
  }
  const seen = Math.min(100, (now / total) * 100);
  const last = history.at(-1)?.[1] ?? 0;
  return (
    <svg
      className="hist"
      role="img"
      aria-label={`${words(context)}: mean activation ${fixed(last)} of its peak now`}
    >
      <rect className="todo" x={`${seen}%`} width={`${100 - seen}%`} height="14" />
      {shades.map((share, i) => {
        const level = share === null ? 0 : Math.min(16, Math.max(0, Math.round(share * 16)));
        if (level === 0) return null;
        return (
          <rect
            // Cells are places on the axis.
            key={`${i}`}
            className={`h${level}`}
            x={`${i * width}%`}
            width={`${width * 0.86}%`}
            height="14"
          />
        );
      })}
      <line className="gr" x1="0" x2="100%" y1="14.5" y2="14.5" />
    </svg>
  );
});

function appearedWords(
  row: ContextProgress,
  now: number,
  total: number,
): { text: string; fresh: boolean } {
  if (row.appeared_at === null) return { text: "not yet", fresh: false };
  const fresh = now - row.appeared_at < total * 0.04;
  return { text: `at ${short(row.appeared_at)}${fresh ? ", new" : ""}`, fresh };
}

export function FirstFeatures({
  state,
  dictionary,
  at,
}: {
  state: RunState;
  dictionary: string | null;
  at?: string;
}) {
  const total = Math.max(state.total_tokens, 1);
  const live = state.status === "running";
  const known = state.contexts.filter((c) => c.reading !== null);
  const controlled = known.filter((c) => c.reading!.control !== null);
  const above = controlled.filter((c) => c.reading!.verdict === "holds");
  const beyond = known.filter((c) => c.reading!.estimate.value > (c.reading!.neuron ?? 0));
  if (state.contexts.length === 0) return null;
  return (
    <Plate
      name="First features"
      note="the best feature of each context; colour: its mean activation there, as a share of its peak"
      drawn={
        controlled.length > 0 ? (
          <>
            <b className="b text-ink">{above.length}</b> of {state.contexts.length} contexts have a
            feature that holds against its control
          </>
        ) : (
          <>
            <b className="b text-ink">{beyond.length}</b> of {state.contexts.length} contexts have a
            feature above their best neuron; control pending
          </>
        )
      }
    >
      <table className="ff">
        <colgroup>
          <col className="c-cx" />
          <col className="h-sm" style={{ width: "29%" }} />
          <col className="h-md" style={{ width: "58px" }} />
          <col className="c-rd" />
          <col style={{ width: "52px" }} />
          <col className="c-vd" />
          <col className="h-lg" style={{ width: "112px" }} />
          <col className="h-md" />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">context</th>
            <th scope="col" className="h-sm">
              <div className="axh">
                {tokenTicks(total, 5).map((tick, i, all) => (
                  <span key={tick.at} style={{ left: `${(100 * tick.at) / total}%` }}>
                    {tick.text}
                    {i === all.length - 1 ? " tokens" : ""}
                  </span>
                ))}
              </div>
            </th>
            <th scope="col" className="h-md">
              feature
            </th>
            <th scope="col">◇ control ❘ neuron • r</th>
            <th scope="col">
              <span className="sr">r</span>
            </th>
            <th scope="col">verdict</th>
            <th scope="col" className="h-lg">
              appeared
            </th>
            <th scope="col" className="h-md">
              strongest example so far
            </th>
          </tr>
        </thead>
        <tbody>
          {state.contexts.map((row) => {
            const { text, fresh } = appearedWords(row, state.tokens, total);
            const reading = row.reading && {
              ...ofReading(row.reading),
              of: `r of ${words(row.context)}`,
            };
            const names = [row.context === at ? "at" : "", fresh && live ? "new" : ""];
            return (
              <tr
                key={row.context}
                className={names.filter(Boolean).join(" ") || undefined}
                aria-current={row.context === at ? "true" : undefined}
              >
                <td className="nm">{words(row.context)}</td>
                <td className="h-sm">
                  <History
                    history={row.history}
                    now={live ? state.tokens : total}
                    total={total}
                    context={row.context}
                  />
                </td>
                <td className="spec q2 h-md">
                  {row.feature !== null &&
                    (dictionary !== null ? (
                      <Link
                        to="/d/$dictionary/$index"
                        params={{ dictionary, index: String(row.feature) }}
                      >
                        {indexWord(row.feature)}
                      </Link>
                    ) : (
                      indexWord(row.feature)
                    ))}
                </td>
                <td>{reading && <Reading {...reading} />}</td>
                <td className={`num ${reading ? (valueClass(reading) === "" ? "b" : "q") : "q"}`}>
                  {reading ? figure(reading.estimate, 2) : ""}
                </td>
                <td className={`verdict ${reading?.verdict ?? ""}`}>
                  {reading && <VerdictWord verdict={reading.verdict} />}
                </td>
                <td className="h-lg q2 small">{text}</td>
                <td className="h-md">
                  {row.example ? (
                    <StripLine
                      strip={row.example}
                      max={Math.max(row.example.value, ...row.example.acts)}
                    />
                  ) : (
                    <span className="q small">nothing above its neuron</span>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="sr">{int(above.length)} contexts hold against their control.</p>
    </Plate>
  );
}
