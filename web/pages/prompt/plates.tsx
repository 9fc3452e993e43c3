// What stands beside the reader's text: the legend, the features at one token, the token after it.
import { Link } from "@tanstack/react-router";
import { useUnit } from "../../app/unit.ts";
import { Plate } from "../../parts/plate.tsx";
import { Ramp } from "../../parts/ramp.tsx";
import { fixed, nameWords, short, tokenWord } from "../../words.ts";
import type { Token } from "./stage.tsx";
import { probabilityWord, shareWord } from "./table.tsx";

export interface Known {
  index: number;
  name: string | null;
  peak: number;
}

/** What the reply knows of a feature, from any token where it fires. */
export function known(tokens: readonly Token[], index: number): Known {
  for (const token of tokens) {
    const f = token.features.find((g) => g.index === index);
    if (f) return { index, name: f.name, peak: f.share > 0 ? f.value / f.share : 0 };
  }
  return { index, name: null, peak: 0 };
}

export function Legend({
  dictionary,
  wash,
  locked,
  pins,
  n,
  hex,
}: {
  dictionary: string;
  wash: Known | null;
  locked: boolean;
  pins: readonly Known[];
  n: number | undefined;
  hex: boolean;
}) {
  const named = (f: Known) => (
    <Link to="/d/$dictionary/$index" params={{ dictionary, index: String(f.index) }}>
      <b>{f.index}</b> <span className="claim">{f.name ? nameWords(f.name) : ""}</span>
    </Link>
  );
  return (
    <div className="lanes">
      {wash && (
        <span>
          wash {named(wash)}
          {locked ? ", held" : ""}
        </span>
      )}
      {wash && wash.peak > 0 && (
        <span>
          <Ramp /> 0 to {fixed(wash.peak, 1)}, its peak{n ? ` over ${short(n)} tokens` : ""}
        </span>
      )}
      {pins.map((p, i) => (
        <span key={p.index}>
          lane {i + 1} {named(p)}
        </span>
      ))}
      {hex && <span>a dotted rule joins tokens that are parts of one character</span>}
    </div>
  );
}

export function AllAt({
  token,
  at,
  wash,
  pins,
  dictionary,
  onWash,
  onPin,
}: {
  token: Token;
  at: number;
  wash: number | null;
  pins: readonly number[];
  dictionary: string;
  onWash: (index: number) => void;
  onPin: (index: number) => void;
}) {
  const unit = useUnit(dictionary);
  return (
    <Plate
      name={
        <>
          {token.features.length < token.L0
            ? `Strongest ${token.features.length} of ${token.L0}`
            : `All ${token.features.length}`}{" "}
          at {at} <span className="spec q2">{tokenWord(token.piece)}</span>
        </>
      }
      drawn={`activation as a share of the ${unit.one}’s own peak`}
    >
      <table className="all">
        <colgroup>
          <col style={{ width: "58px" }} />
          <col />
          <col className="h-sm" style={{ width: "76px" }} />
          <col style={{ width: "40px" }} />
          <col style={{ width: "92px" }} />
        </colgroup>
        <tbody>
          {token.features.map((f) => (
            <tr key={f.index} className={f.index === wash ? "at" : undefined}>
              <td className="spec q2">
                <Link to="/d/$dictionary/$index" params={{ dictionary, index: String(f.index) }}>
                  {f.index}
                </Link>
              </td>
              <td className="nm">
                <Link
                  to="/d/$dictionary/$index"
                  params={{ dictionary, index: String(f.index) }}
                  tabIndex={-1}
                >
                  {f.name ? nameWords(f.name) : <span className="q">unnamed</span>}
                </Link>
              </td>
              <td className="h-sm">
                <svg className="barh" aria-hidden="true">
                  <line className="gr" x1="0" x2="100%" y1="8.5" y2="8.5" />
                  <rect
                    className={`h${Math.max(1, Math.min(16, Math.ceil(16 * f.share)))}`}
                    width={`${100 * Math.min(1, f.share)}%`}
                  />
                </svg>
              </td>
              <td className="num">{shareWord(f.share)}</td>
              <td className="num">
                <button
                  type="button"
                  className="plain mini"
                  aria-pressed={f.index === wash}
                  onClick={() => onWash(f.index)}
                >
                  Wash
                </button>
                <button
                  type="button"
                  className="plain mini"
                  aria-pressed={pins.includes(f.index)}
                  onClick={() => onPin(f.index)}
                >
                  Pin
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}

export function Expected({
  token,
  next,
  at,
}: {
  token: Token;
  next: Token | undefined;
  at: number;
}) {
  const came = next?.loss === null || next === undefined ? null : Math.exp(-next.loss);
  return (
    <Plate
      name={
        <>
          Next token after {at} <span className="spec q2">{tokenWord(token.piece)}</span>
        </>
      }
      drawn="probability"
      caption={
        next && came !== null
          ? `“${tokenWord(next.piece)}” came, with p ${probabilityWord(came)}.`
          : undefined
      }
    >
      <table className="rd flush">
        <tbody>
          {token.expected.map((e, i) => (
            // Two pieces may look alike.
            <tr key={`${i}`}>
              <td className="spec">{tokenWord(e.piece)}</td>
              <td className="trk">
                <svg className="barh" aria-hidden="true">
                  <line className="gr" x1="0" x2="100%" y1="8.5" y2="8.5" />
                  <rect className="bi" width={`${100 * e.p}%`} />
                </svg>
              </td>
              <td className="v">{probabilityWord(e.p)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}
