// The smaller plates of a feature: contexts, next token, nearest, neurons, bands by quantile.
import { Link } from "@tanstack/react-router";
import type { Claim, ContextReading, FeaturePage } from "../../../src/api/types.ts";
import { Plate } from "../../parts/plate.tsx";
import { axisOf, ClaimTable, PendingNote, Reading, VerdictWord } from "../../parts/reading.tsx";
import {
  figure,
  fixed,
  indexWord,
  int,
  nameWords,
  percent,
  short,
  signed,
  tied,
  tokenWord,
  words,
} from "../../words.ts";
import { range } from "./core.tsx";

export const contextFigures = ["r_given_token", "r", "precision", "recall"] as const;
export type ContextFigure = (typeof contextFigures)[number];
const figureWords: Record<ContextFigure, string> = {
  r_given_token: "given token",
  r: "r",
  precision: "precision",
  recall: "recall",
};

export function IsItOneThing({
  page,
  open,
  onOpen,
}: {
  page: FeaturePage;
  /** The figure whose grounds are shown. */
  open: string | null;
  onOpen: (metric: string | null) => void;
}) {
  const metricOf = (id: string | null) => page.claims.find((c) => c.id === id)?.metric ?? null;
  const control = page.claims.find((c) => c.control)?.control;
  const drawn = control
    ? `${short(page.n_tokens)} tokens · control: ${control.kind === "permuted-weights" ? "weights permuted" : control.kind.replace("-", " ")}, ${control.draws} ${control.draws === 1 ? "draw" : "draws"}`
    : `${short(page.n_tokens)} tokens · control pending`;
  const failing = page.claims.filter((c) => c.verdict === "fails");
  return (
    <Plate
      name="Is it one thing?"
      drawn={drawn}
      caption={
        failing.length > 0
          ? `${failing.length === page.claims.length ? "Nothing here is" : `${failing.length} of ${page.claims.length} are not`} better than the control, so ${failing.length === 1 ? "it is" : "they are"} no evidence.`
          : undefined
      }
    >
      <ClaimTable
        claims={page.claims}
        name={(c) => shortClaim(c, page)}
        open={page.claims.find((c) => c.metric === open)?.id ?? null}
        onOpen={(id) => onOpen(metricOf(id))}
        spell={(text) => claimWords(text, page)}
      />
      <PendingNote claims={page.claims} dictionary={page.dictionary} />
    </Plate>
  );
}

/** Context ids inside a statement become words. */
export function claimWords(statement: string, page: FeaturePage): string {
  const ids = new Set([page.best_context, ...page.contexts.map((c) => c.context)]);
  let text = statement;
  for (const id of ids)
    if (id !== null && words(id) !== id)
      text = text.replace(
        new RegExp(`(?<![\\w-])${id.replace(/[^\w-]/g, "")}(?![\\w-])`, "g"),
        words(id),
      );
  return tied(text);
}

/** A name that keeps to one line; the whole statement stands in the row that opens. */
function shortClaim(claim: Claim, page: FeaturePage): string {
  const context = words(page.best_context ?? "");
  const about = page.best_context !== null && claim.statement.includes(page.best_context);
  if (claim.metric === "r_given_token" && about) return `r with ${context}, given token`;
  if (claim.metric === "r" && about) return `r with ${context}`;
  if (claim.metric === "weight") return `weight in ${context || "its best context"}`;
  const from = / from ([\d.]+) up$| reaches ([\d.]+)$/.exec(claim.statement);
  if (from && (claim.metric === "precision" || claim.metric === "recall"))
    return `${claim.metric} from ${from[1] ?? from[2]} up`;
  return claimWords(claim.statement, page);
}

export function Contexts({
  page,
  figureKey,
  onFigure,
}: {
  page: FeaturePage;
  figureKey: ContextFigure;
  onFigure: (key: ContextFigure) => void;
}) {
  const rows: [ContextReading, Claim][] = page.contexts.map((c) => [c, c[figureKey]]);
  const claims = rows.map(([, claim]) => claim);
  const context = new Map(rows.map(([c, claim]) => [claim.id, c.context]));
  const lowest = Math.min(...claims.map((c) => c.estimate.value));
  const rest = page.n_contexts - rows.length;
  return (
    <Plate
      name="Contexts"
      drawn={figureKey === "r_given_token" ? "r given the current token" : figureWords[figureKey]}
    >
      <ClaimTable
        claims={claims}
        narrow
        head={false}
        spell={(text) => claimWords(text, page)}
        axis={axisOf(claims)}
        name={(claim) => words(context.get(claim.id) ?? claim.id)}
      />
      <div className="seg mt-3">
        {contextFigures.map((key) => (
          <button
            key={key}
            type="button"
            aria-pressed={key === figureKey}
            onClick={() => onFigure(key)}
          >
            {figureWords[key]}
          </button>
        ))}
      </div>
      <p className="micro pt-2">
        {int(page.n_contexts)} contexts tested
        {rest > 0 && claims.length > 1 && figureKey.startsWith("r")
          ? `; none of the other ${int(rest)} above ${lowest < 0.005 ? ".005" : fixed(lowest)}`
          : ""}
      </p>
    </Plate>
  );
}

export function NextToken({ page }: { page: FeaturePage }) {
  const { up, down, histogram, kurtosis } = page.logits;
  const most = Math.max(...[...up, ...down].map((l) => Math.abs(l.value)), 1e-9);
  const list = (rows: typeof up) => (
    <div className="lg">
      {rows.slice(0, 6).map((l) => (
        <LogitRow key={l.token} logit={l} most={most} />
      ))}
    </div>
  );
  const { counts, edges } = histogram;
  const tall = counts.map((c) => Math.log10(1 + c));
  const top = Math.max(...tall, 1);
  const bar = 100 / Math.max(counts.length, 1);
  const low = edges[0] ?? 0;
  const high = edges.at(-1) ?? 0;
  const zero = high > low ? (100 * (0 - low)) / (high - low) : 0;
  const last = up.slice(0, 6).at(-1)?.value ?? high;
  return (
    <Plate name="Next token" drawn="logit weight; all tokens, log">
      <div className="pair">
        {list(up)}
        {list(down)}
      </div>
      <svg
        width="100%"
        height="36"
        className="mt-3"
        role="img"
        aria-label={`Logit weights of all tokens from ${fixed(low)} to ${fixed(high)}, kurtosis ${fixed(kurtosis, 1)}`}
      >
        {tall.map((v, i) =>
          v === 0 ? null : (
            <rect
              key={edges[i]}
              x={`${i * bar}%`}
              width={`${bar * 0.78}%`}
              y={22 - (v / top) * 22}
              height={(v / top) * 22}
              fill={
                edges[i + 1]! <= 0
                  ? "var(--neg-mark)"
                  : edges[i]! >= last
                    ? "var(--pos-mark)"
                    : "var(--line-2)"
              }
            />
          ),
        )}
        <line className="ax" x1="0" x2="100%" y1="22.5" y2="22.5" />
        <text x="0" y="35">
          {signed(low, 1)}
        </text>
        <text x={`${zero}%`} y="35" textAnchor="middle">
          0
        </text>
        <text x="100%" y="35" textAnchor="end">
          {signed(high, 1)}, kurtosis {fixed(kurtosis, 1)}
        </text>
      </svg>
    </Plate>
  );
}

function LogitRow({ logit, most }: { logit: FeaturePage["logits"]["up"][number]; most: number }) {
  const positive = logit.value > 0;
  return (
    <>
      <span className="spec">{tokenWord(logit.piece)}</span>
      <svg aria-hidden="true">
        <rect
          className={positive ? "bp" : "bn"}
          y="1"
          width={`${(100 * Math.abs(logit.value)) / most}%`}
          height="6"
        />
      </svg>
      <span className={positive ? "num pos" : "num neg"}>{signed(logit.value)}</span>
    </>
  );
}

/** On which tokens, and after which, is its activation spent? */
export function Spent({ page }: { page: FeaturePage }) {
  const { current, previous } = page.characteristic;
  if (current.length === 0 && previous.length === 0) return null;
  const most = Math.max(...[...current, ...previous].map((t) => t.share), 1e-9);
  const list = (rows: typeof current, name: string) => (
    <div>
      <p className="micro">{name}</p>
      <div className="lg">
        {rows.slice(0, 6).map((t, i) => (
          <SpentRow key={`${i}`} token={t} most={most} />
        ))}
      </div>
    </div>
  );
  return (
    <Plate className="wide" name="Tokens" drawn="share of its summed activation">
      <div className="pair">
        {list(current, "on the token itself")}
        {list(previous, "on the token before")}
      </div>
    </Plate>
  );
}

function SpentRow({
  token,
  most,
}: {
  token: FeaturePage["characteristic"]["current"][number];
  most: number;
}) {
  return (
    <>
      <span className="spec">{tokenWord(token.piece)}</span>
      <svg aria-hidden="true">
        <rect className="bi" y="1" width={`${(100 * token.share) / most}%`} height="6" />
      </svg>
      <span className="num">{percent(token.share)}</span>
    </>
  );
}

export function Nearest({ page, of }: { page: FeaturePage; of: string }) {
  return (
    <Plate name="Nearest" drawn={`cosine of ${of} · r of activation`}>
      <table className="nb">
        <tbody>
          {page.nearest.slice(0, 8).map((n) => (
            <tr key={n.index}>
              <td className="spec q2">
                <Link
                  to="/d/$dictionary/$index"
                  params={{ dictionary: page.dictionary, index: String(n.index) }}
                >
                  {indexWord(n.index, page.d_sae)}
                </Link>
              </td>
              <td className="l">
                {n.name ? nameWords(n.name) : <span className="q">unnamed</span>}
              </td>
              <td className="num">{fixed(n.cosine)}</td>
              <td className="num">{n.r === null ? <span className="q">–</span> : fixed(n.r)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}

export function MadeOfNeurons({ page }: { page: FeaturePage }) {
  const { top, rest, participation, participation_random, best } = page.neurons;
  const rows = [
    ...top
      .slice(0, 6)
      .map((n) => ({ name: String(n.neuron), share: n.share, kind: n.share >= 0 ? "bp" : "bn" })),
    { name: `rest, ${int(rest.neurons)}`, share: rest.share, kind: "" },
  ];
  const most = Math.max(...rows.map((r) => Math.abs(r.share)), 1e-9);
  return (
    <Plate name="Made of neurons" drawn="share of |W_dec|">
      <table className="rd flush">
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <td className="spec">{row.name}</td>
              <td className="trk">
                <svg className="barh" aria-hidden="true">
                  <line className="gr" x1="0" x2="100%" y1="8.5" y2="8.5" />
                  <rect
                    className={row.kind}
                    fill={row.kind === "" ? "var(--line-2)" : undefined}
                    y="1"
                    height="7"
                    width={`${(100 * Math.abs(row.share)) / most}%`}
                  />
                </svg>
              </td>
              <td className="v">{fixed(row.share * 100, 1)} %</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="micro pt-2">
        spread over {int(participation)} neurons (participation); random direction{" "}
        {int(participation_random)}
        {best && (
          <>
            ; the best single neuron, {best.neuron}, follows it with r {fixed(best.r)}
          </>
        )}
      </p>
    </Plate>
  );
}

/** Equal counts instead of equal widths: the same question with the same n everywhere. */
export function Bands({ page }: { page: FeaturePage }) {
  const rows = [...page.quantile_bands].filter((b) => b.share !== null).reverse();
  if (rows.length === 0) return null;
  const context = words(page.best_context ?? "its context");
  return (
    <Plate
      className="wide"
      name="Weak and strong, by quantile"
      drawn={`share of tokens in ${context} · equal counts, Wilson 95 %`}
    >
      <table className="rd">
        <thead>
          <tr>
            <th scope="col">activation</th>
            <th scope="col">
              <span className="sr">drawing</span>
            </th>
            <th scope="col">share</th>
            <th scope="col">control</th>
            <th scope="col">n</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((band) => {
            // No more than its control is no evidence, on whichever side of it the share lies.
            const inside =
              band.control !== null &&
              band.share!.value <= (band.control.high ?? band.control.value);
            const props = {
              estimate: band.share!,
              control: band.control,
              verdict:
                band.control === null
                  ? ("pending" as const)
                  : inside
                    ? ("fails" as const)
                    : ("undecided" as const),
            };
            return (
              <tr key={band.low}>
                <td>{range(band.low, band.high)}</td>
                <td className="trk">
                  <Reading {...props} of={`share in ${context}`} />
                </td>
                <td className={band.control === null ? "v pending" : inside ? "v in" : "v"}>
                  {figure(band.share!, 2)}
                </td>
                <td className="c">
                  {band.control ? figure(band.control, 2) : <VerdictWord verdict="pending" />}
                </td>
                <td className="e">{int(band.n)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Plate>
  );
}
