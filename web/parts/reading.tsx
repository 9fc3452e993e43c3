// How are value, interval, control and rival drawn, so that they cannot be taken apart?
import { Fragment, type ReactNode, useState } from "react";
import type {
  Claim,
  Control,
  Estimate,
  Reading as ReadingData,
  Verdict,
} from "../../src/api/types.ts";
import {
  baselineWord,
  controlWord,
  digitsOf,
  figure,
  fixed,
  int,
  plusMinus,
  sentence,
  short,
  verdictWord,
} from "../words.ts";

export interface ReadingProps {
  estimate: Estimate;
  control: Control | Estimate | null;
  verdict: Verdict;
  /** The best neuron, or another rival that stands beside. */
  rival?: number | null;
  axis?: readonly [number, number];
  /** What is measured, for those who hear it. */
  of?: string;
}

export function insideControl({ estimate, control, verdict }: ReadingProps): boolean {
  if (control === null) return false;
  const low = control.low ?? control.value;
  const high = control.high ?? control.value;
  return verdict === "fails" || (estimate.value >= low && estimate.value <= high);
}

/** "0.87, 95 % 0.86 to 0.88, control 0.06, holds". */
export function readingWords({ estimate, control, verdict, rival, of }: ReadingProps): string {
  const digits = digitsOf(estimate);
  const parts = [`${of ? `${of} ` : ""}${figure(estimate, digits)}`];
  if (estimate.low !== null && estimate.high !== null)
    parts.push(`95 % ${fixed(estimate.low, digits)} to ${fixed(estimate.high, digits)}`);
  if (control !== null) parts.push(`control ${figure(control)}`);
  if (rival !== null && rival !== undefined) parts.push(`best neuron ${fixed(rival)}`);
  parts.push(verdictWord[verdict]);
  return parts.join(", ");
}

/** The drawing. Every position is a percentage: it is redrawn by the layout, never scaled. */
export function Reading(props: ReadingProps) {
  const { estimate, control, rival, axis = [0, 1] } = props;
  const at = (v: number): string =>
    `${(100 * Math.min(1, Math.max(0, (v - axis[0]) / (axis[1] - axis[0])))).toFixed(2)}%`;
  const y = 6.5;
  const hollow = insideControl(props);
  return (
    <span className={control === null ? "rdg pending" : "rdg"}>
      <svg role="img" aria-label={readingWords(props)}>
        <line className="axis" x1="0" x2="100%" y1="7" y2="7" />
        <line className="end" x1="0" x2="0" y1="4" y2="10" />
        <line className="end" x1="100%" x2="100%" y1="4" y2="10" />
        {axis[0] < 0 && <line className="zero" x1={at(0)} x2={at(0)} y1="1" y2="12" />}
        {control !== null && (
          <>
            {control.low !== null && control.high !== null && (
              <line className="draws" x1={at(control.low)} x2={at(control.high)} y1={y} y2={y} />
            )}
            <svg x={at(control.value)} y={y} overflow="visible" aria-hidden="true">
              <path className="dia" d="M0-3.6L3.6 0 0 3.6-3.6 0z" />
            </svg>
          </>
        )}
        {rival !== null && rival !== undefined && (
          <line className="riv" x1={at(rival)} x2={at(rival)} y1="2" y2="11" />
        )}
        {estimate.low !== null && estimate.high !== null && (
          <line className="int" x1={at(estimate.low)} x2={at(estimate.high)} y1={y} y2={y} />
        )}
        <circle
          className={hollow ? "val hollow" : "val"}
          cx={at(estimate.value)}
          cy={y}
          r={hollow ? 3 : 3.6}
        />
      </svg>
    </span>
  );
}

/** How the value itself is set: bold where it holds, plain where it does not, grey while it is pending. */
export function valueClass(props: ReadingProps): string {
  if (props.control === null) return "pending";
  return insideControl(props) || props.verdict === "undecided" ? "in" : "";
}

/** "control pending", or "pending" where there is no room. */
export function VerdictWord({ verdict }: { verdict: Verdict }) {
  if (verdict !== "pending") return verdictWord[verdict];
  return (
    <>
      <span className="h-sm">control </span>pending
    </>
  );
}

export function ofReading(reading: ReadingData): ReadingProps {
  return { ...reading, rival: reading.neuron };
}

export function ofClaim(claim: Claim): ReadingProps {
  const neuron = claim.baselines.find((b) => b.kind === "best-neuron");
  return {
    estimate: claim.estimate,
    control: claim.control,
    verdict: claim.verdict,
    rival: neuron?.value ?? null,
    of: claim.statement,
  };
}

/** One axis for all rows: 0 to 1, or as far as the figures go. */
export function axisOf(claims: readonly Claim[]): [number, number] {
  let low = 0;
  let high = 0;
  for (const { estimate, control, baselines } of claims)
    for (const e of [estimate, ...(control ? [control] : []), ...baselines]) {
      low = Math.min(low, e.low ?? e.value);
      high = Math.max(high, e.high ?? e.value);
    }
  return [low < -0.005 ? Math.floor(low * 10) / 10 : 0, high <= 1 ? 1 : high * 1.05];
}

/** What a claim rests on, in a sentence. */
export function Grounds({ claim }: { claim: Claim }) {
  const seeds = claim.seeds.length;
  const { low, high } = claim.estimate;
  const digits = digitsOf(claim.estimate);
  return (
    <>
      {low !== null && high !== null && `95 %: ${fixed(low, digits)} to ${fixed(high, digits)}. `}
      {claim.baselines.length > 0 && (
        <>
          Beside it:{" "}
          {claim.baselines
            .map((b) => {
              const unit = b.unit === null ? "" : ` ${b.unit}`;
              return `${baselineWord[b.kind] ?? b.kind}${unit} ${figure(b)}`;
            })
            .join(", ")}
          .{" "}
        </>
      )}
      {claim.control === null
        ? "No control yet. "
        : `Control: ${controlWord[claim.control.kind] ?? claim.control.kind}, ${claim.control.draws} ${claim.control.draws === 1 ? "draw" : "draws"}. `}
      {claim.chosen_on ? `Chosen on ${claim.chosen_on}, judged on ` : "Judged on "}
      {claim.judged_on}: {short(claim.n)} tokens of {int(claim.n_documents)} documents;{" "}
      {int(claim.n_tried)} tried; margin {fixed(claim.margin)};{" "}
      {seeds === 1 ? `seed ${claim.seeds[0]}` : `${seeds} seeds`}.
    </>
  );
}

export function ClaimTable({
  claims,
  name = (claim) => claim.statement,
  spell = (statement) => statement,
  head = true,
  narrow = false,
  axis = axisOf(claims),
  open: openNow,
  onOpen,
}: {
  claims: readonly Claim[];
  name?: (claim: Claim) => ReactNode;
  /** Context ids of a statement as words. */
  spell?: (statement: string) => string;
  head?: boolean;
  /** In a narrow plate the drawing, the value and the verdict; the rest on asking. */
  narrow?: boolean;
  axis?: readonly [number, number];
  /** The claim whose grounds are shown, where the address holds it. */
  open?: string | null;
  onOpen?: (id: string | null) => void;
}) {
  const [own, setOwn] = useState<string | null>(null);
  const open = onOpen ? (openNow ?? null) : own;
  const setOpen = onOpen ?? setOwn;
  return (
    <table className={head ? "rd" : "rd flush"}>
      {head && (
        <thead>
          <tr>
            <th scope="col">
              <span className="sr">claim</span>
            </th>
            <th scope="col">
              <span className="sr">drawing</span>
            </th>
            <th scope="col">value</th>
            {!narrow && (
              <th scope="col" className="e">
                95 %
              </th>
            )}
            {!narrow && <th scope="col">control</th>}
            <th scope="col" className="w">
              verdict
            </th>
          </tr>
        </thead>
      )}
      <tbody>
        {claims.map((claim) => {
          const props = { ...ofClaim(claim), axis };
          const digits = narrow ? 2 : digitsOf(claim.estimate);
          return (
            <Fragment key={claim.id}>
              <tr className="row">
                <td>
                  <button
                    type="button"
                    className="plain"
                    aria-expanded={open === claim.id}
                    onClick={() => setOpen(open === claim.id ? null : claim.id)}
                  >
                    {name(claim)}
                  </button>
                </td>
                <td className="trk">
                  <Reading {...props} />
                </td>
                <td className={`v ${valueClass(props)}`}>{figure(claim.estimate, digits)}</td>
                {!narrow && <td className="e">{plusMinus(claim.estimate, digits)}</td>}
                {!narrow && (
                  <td className="c">{claim.control ? figure(claim.control, digits) : ""}</td>
                )}
                <td className={`w ${claim.verdict}`}>
                  {claim.verdict === "pending" && narrow ? (
                    "pending"
                  ) : (
                    <VerdictWord verdict={claim.verdict} />
                  )}
                </td>
              </tr>
              {open === claim.id && (
                <tr className="more">
                  <td colSpan={narrow ? 4 : 6}>
                    <div>
                      {sentence(spell(claim.statement))} <Grounds claim={claim} />
                    </div>
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}

/** The empty place's command, once under a table where controls are missing. */
export function PendingNote({
  claims,
  dictionary,
}: {
  claims: readonly Claim[];
  dictionary: string;
}) {
  if (!claims.some((claim) => claim.control === null)) return null;
  return (
    <p className="micro pt-2">
      control pending: <code className="cmd">micrographia evaluate {dictionary}</code> computes it
    </p>
  );
}
