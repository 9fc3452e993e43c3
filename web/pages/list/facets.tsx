// What is in the whole dictionary, and which part of it is kept?
import { useState } from "react";
import type { DictionarySummary, FeatureList } from "../../../src/api/types.ts";
import { FacetHistogram } from "../../parts/histogram.tsx";
import { axisOf, ofClaim, Reading, valueClass } from "../../parts/reading.tsx";
import {
  digitsOf,
  figure,
  fixed,
  int,
  percent,
  power,
  unitWords,
  verdictWord,
  words,
} from "../../words.ts";
import { type ListSearch, toggled } from "./params.ts";

const few = 14;

export function Facets({
  facets,
  summary,
  search,
  onSearch,
}: {
  facets: FeatureList["facets"];
  summary: DictionarySummary;
  search: ListSearch;
  onSearch: (next: ListSearch) => void;
}) {
  const minR = search.min_r ? Number(search.min_r) : null;
  const maxDensity = search.max_density ? Number(search.max_density) : null;
  const chosen = search.context?.split(",") ?? [];
  const most = Math.max(...facets.contexts.map((c) => c.features), 1);
  const [all, setAll] = useState(false);
  const shown = facets.contexts.filter((c, i) => all || i < few || chosen.includes(c.context));
  const { density, r } = facets;
  const unit = unitWords[summary.unit];
  const exponent = (edge: number | undefined) => power(Math.round(edge ?? 0));
  return (
    <>
      <section className="facet">
        <header>
          <h2>r with best context</h2>
          <span>{minR === null ? "any" : `${fixed(minR)} – ${fixed(r.edges.at(-1) ?? 1)}`}</span>
        </header>
        <FacetHistogram
          histogram={r}
          keep={[minR ?? Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]}
          side="low"
          label={`Distribution of r over ${int(facets.alive)} ${unit.many}`}
          ends={[fixed(r.edges[0] ?? 0, 1), fixed(r.edges.at(-1) ?? 1, 1)]}
          onEdge={(edge) => {
            const next = String(Number(edge.toFixed(3)));
            onSearch({ ...search, min_r: next === search.min_r ? undefined : next });
          }}
        />
      </section>
      <section className="facet">
        <header>
          <h2>density</h2>
          <span>{maxDensity === null ? "log" : `0 – ${percent(maxDensity)}`}</span>
        </header>
        <FacetHistogram
          histogram={density}
          keep={[
            search.min_density ? Math.log10(Number(search.min_density)) : Number.NEGATIVE_INFINITY,
            maxDensity === null ? Number.POSITIVE_INFINITY : Math.log10(maxDensity),
          ]}
          side="high"
          label={`Distribution of density over ${int(facets.alive)} ${unit.many}, log`}
          ends={[exponent(density.edges[0]), exponent(density.edges.at(-1))]}
          onEdge={(edge) => {
            const next = String(Number((10 ** edge).toPrecision(3)));
            onSearch({ ...search, max_density: next === search.max_density ? undefined : next });
          }}
        />
      </section>
      <section className="facet">
        <header>
          <h2>explained by its best neuron</h2>
          <span>r</span>
        </header>
        <FacetHistogram
          histogram={facets.neuron}
          keep={[Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]}
          side="low"
          label="Distribution of the best neuron’s r"
          ends={[fixed(facets.neuron.edges[0] ?? 0, 1), fixed(facets.neuron.edges.at(-1) ?? 1, 1)]}
        />
      </section>
      <section className="facet">
        <header>
          <h2>context</h2>
          <span>{facets.contexts.length}</span>
        </header>
        {shown.map(({ context, features }) => (
          <button
            key={context}
            type="button"
            className="fc"
            aria-pressed={chosen.includes(context)}
            onClick={() => onSearch(toggled(search, context))}
          >
            <span>{words(context)}</span>
            <svg width="56" height="6" aria-hidden="true">
              <rect y="1" width={Math.sqrt(features / most) * 56} height="4" />
            </svg>
            <span className="num">{int(features)}</span>
          </button>
        ))}
        {shown.length < facets.contexts.length && (
          <button type="button" className="plain micro" onClick={() => setAll(true)}>
            {facets.contexts.length - shown.length} more
          </button>
        )}
      </section>
      <section className="facet">
        <header>
          <h2>verdict</h2>
          <span>{search.verdict ?? "any"}</span>
        </header>
        {(["holds", "undecided", "fails", "pending"] as const).map((verdict) => {
          const count = facets.verdicts[verdict] ?? 0;
          return (
            <button
              key={verdict}
              type="button"
              className="fc"
              aria-pressed={search.verdict === verdict}
              onClick={() =>
                onSearch({ ...search, verdict: search.verdict === verdict ? undefined : verdict })
              }
            >
              <span>{verdictWord[verdict]}</span>
              <svg width="56" height="6" aria-hidden="true">
                <rect y="1" width={(count / Math.max(facets.alive, 1)) * 56} height="4" />
              </svg>
              <span className="num">{int(count)}</span>
            </button>
          );
        })}
      </section>
      <Judged summary={summary} />
    </>
  );
}

const whose: Record<string, string> = {
  "data-points": "data points",
  "permuted-weights": "permuted",
  constant: "bound",
};

function wholeWords({ metric, statement }: DictionarySummary["claims"][number]): string {
  const known: Record<string, string> = {
    dCE: "ΔCE, nats a token",
    dCE_over_data_points: "ΔCE over data points’",
    CE_recovered: "CE recovered, of zero",
    CE_recovered_mean: "CE recovered, of mean",
  };
  return known[metric] ?? statement.replace(/, at L0 .*$/, "");
}

/** The dictionary as a whole: each figure on its own axis, with its control. */
function Judged({ summary }: { summary: DictionarySummary }) {
  if (summary.claims.length === 0) return null;
  return (
    <section className="facet judged">
      <header>
        <h2>the dictionary</h2>
        <span>◇ control</span>
      </header>
      {summary.claims.map((claim) => {
        const props = ofClaim(claim);
        const [low, high] = axisOf([claim]);
        const top = claim.estimate.value < 0.5 && high === 1 ? axisTop(claim) : high;
        const grey = claim.control === null;
        return (
          <div key={claim.id} title={claim.statement}>
            <p>
              <span className="q2">{wholeWords(claim)}</span>
              <span className={grey ? "pendingv" : valueClass(props) === "" ? "b" : ""}>
                {figure(claim.estimate)}
              </span>
            </p>
            <Reading {...props} axis={[low, top]} />
            <p className="micro">
              <span>
                {claim.control
                  ? `${whose[claim.control.kind] ?? "control"} ${figure(claim.control, digitsOf(claim.estimate))}`
                  : ""}
              </span>
              <span className={`ml-auto verdict ${claim.verdict}`}>
                {verdictWord[claim.verdict]}
              </span>
            </p>
          </div>
        );
      })}
      {summary.claims.some((c) => c.control === null) && (
        <p className="micro">
          <code className="cmd">micrographia evaluate {summary.id}</code>
        </p>
      )}
    </section>
  );
}

function axisTop(claim: DictionarySummary["claims"][number]): number {
  const all = [claim.estimate, ...(claim.control ? [claim.control] : [])];
  return Math.min(1, Math.max(...all.map((e) => e.high ?? e.value)) * 1.15);
}
