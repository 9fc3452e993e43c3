// Which features are strongest at each token, and what did the model expect there?
import { Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useUnit } from "../../app/unit.ts";
import { Plate } from "../../parts/plate.tsx";
import { levelOf } from "../../parts/strip.tsx";
import { nameWords, tokenWord } from "../../words.ts";
import type { Token } from "./stage.tsx";

export function shareWord(share: number): string {
  if (share >= 0.995) return share.toFixed(2);
  return share < 0.005 ? "<.005" : share.toFixed(2).slice(1);
}

export function probabilityWord(p: number): string {
  return p < 0.005 ? "<.005" : p.toFixed(2);
}

function Cell({
  token,
  rank,
  dictionary,
  unit,
}: {
  token: Token;
  rank: number;
  dictionary: string;
  unit: string;
}) {
  const f = token.features[rank];
  if (f === undefined) return null;
  return (
    <>
      <span className={`ab h${levelOf(f.share, 1)}`} />
      <Link
        to="/d/$dictionary/$index"
        params={{ dictionary, index: String(f.index) }}
        tabIndex={-1}
        title={`${unit} ${f.index}`}
      >
        {f.name ? nameWords(f.name) : <span className="spec">{f.index}</span>}
      </Link>{" "}
      <small>{shareWord(f.share)}</small>
    </>
  );
}

export function TokenTable({
  tokens,
  at,
  dictionary,
  onPick,
}: {
  tokens: readonly Token[];
  at: number;
  dictionary: string;
  onPick: (index: number) => void;
}) {
  const unit = useUnit(dictionary);
  const ref = useRef<HTMLTableElement>(null);
  const [start, setStart] = useState(0);
  const tall =
    typeof matchMedia === "function" && matchMedia("(max-width: 700px)").matches ? 32 : 21;
  const virtual = useWindowVirtualizer({
    count: tokens.length,
    estimateSize: () => tall,
    overscan: 20,
    scrollMargin: start,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another text moves the table
  useLayoutEffect(() => {
    if (ref.current) setStart(ref.current.getBoundingClientRect().top + window.scrollY + 18);
  }, [tokens]);
  const before = useRef(at);
  useEffect(() => {
    if (before.current !== at) virtual.scrollToIndex(at, { align: "auto" });
    before.current = at;
  }, [at, virtual]);
  const items = virtual.getVirtualItems();
  const above = items.length > 0 ? items[0]!.start - start : 0;
  const below = items.length > 0 ? virtual.getTotalSize() - (items.at(-1)!.end - start) : 0;
  return (
    <Plate
      name="Strongest at each token"
      drawn={`activation as a share of the ${unit.one}’s own peak`}
    >
      <table className="tt" ref={ref} aria-rowcount={tokens.length + 1}>
        <colgroup>
          <col style={{ width: "38px" }} />
          <col style={{ width: "84px" }} />
          <col />
          <col className="h-md" />
          <col className="h-md" style={{ width: "88px" }} />
          <col className="h-sm" style={{ width: "62px" }} />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">
              <span className="sr">place</span>
            </th>
            <th scope="col">token</th>
            <th scope="col">strongest {unit.one}</th>
            <th scope="col" className="h-md">
              second
            </th>
            <th scope="col" className="h-md">
              was expected
            </th>
            <th scope="col" className="num h-sm">
              p, actual
            </th>
          </tr>
        </thead>
        <tbody>
          {above > 0 && (
            <tr className="gap">
              <td style={{ height: above }} />
            </tr>
          )}
          {items.map(({ index: i }) => {
            const token = tokens[i]!;
            const expected = tokens[i - 1]?.expected[0];
            return (
              <tr
                key={i}
                className={i === at ? "at" : undefined}
                aria-current={i === at ? "true" : undefined}
                aria-rowindex={i + 2}
                onClick={(event) => !(event.target as Element).closest("a") && onPick(i)}
              >
                <td className="q num">{i}</td>
                <td className="spec">{tokenWord(token.piece)}</td>
                <td className="ft">
                  <Cell token={token} rank={0} dictionary={dictionary} unit={unit.one} />
                </td>
                <td className="ft q2 h-md">
                  <Cell token={token} rank={1} dictionary={dictionary} unit={unit.one} />
                </td>
                <td className="spec h-md">{expected ? tokenWord(expected.piece) : ""}</td>
                <td className="num h-sm">
                  {token.loss === null ? "" : probabilityWord(Math.exp(-token.loss))}
                </td>
              </tr>
            );
          })}
          {below > 0 && (
            <tr className="gap">
              <td style={{ height: below }} />
            </tr>
          )}
        </tbody>
      </table>
    </Plate>
  );
}
