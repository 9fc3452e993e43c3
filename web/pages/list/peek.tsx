// What is the feature under the cursor, seen without leaving the list?
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { FeatureRow } from "../../../src/api/types.ts";
import { useDelayed } from "../../app/hooks.ts";
import { feature } from "../../app/queries.ts";
import { ofReading, Reading, VerdictWord, valueClass } from "../../parts/reading.tsx";
import { StripLine } from "../../parts/strip.tsx";
import { figure, fixed, indexWord, nameWords, percent, words } from "../../words.ts";
import { claimWords } from "../feature/plates.tsx";

/** One example of every second interval, so that the weak are seen beside the strong. */
const every = 2;

export function Peek({
  row,
  dictionary,
  d_sae,
  revision,
  close,
}: {
  row: FeatureRow;
  dictionary: string;
  d_sae: number;
  revision: number;
  close: () => void;
}) {
  const settled = useDelayed(row.index, 120);
  const { data } = useQuery(feature(dictionary, settled, revision));
  const page = data?.index === row.index ? data : undefined;
  const shown = page?.intervals
    .filter((_, i) => i % every === 0)
    .flatMap((i) => i.examples[0] ?? []);
  return (
    <section className="peek" aria-label={`Peek at feature ${row.index}`}>
      <header>
        <span className="spec q2">{indexWord(row.index, d_sae)}</span>
        <h2 className="claim">
          {row.dead ? "dead, has not fired" : row.name ? nameWords(row.name) : "unnamed"}
        </h2>
        {row.reading && (
          <>
            <span className="w-30">
              <Reading {...ofReading(row.reading)} of={`r with ${words(row.best_context ?? "")}`} />
            </span>
            <span className={valueClass(ofReading(row.reading)) === "" ? "num b" : "num q2"}>
              {figure(row.reading.estimate, 2)}
            </span>
            <span className="micro">
              <VerdictWord verdict={row.reading.verdict} />
            </span>
          </>
        )}
        {!row.dead && (
          <span className="micro h-sm">
            {percent(row.density)} of tokens, peak {fixed(row.peak)}
          </span>
        )}
        <span className="end">
          <Link
            className="btn"
            to="/d/$dictionary/$index"
            params={{ dictionary, index: String(row.index) }}
          >
            Open
          </Link>
          <button type="button" className="btn" onClick={close}>
            Close
          </button>
        </span>
      </header>
      <div className="two">
        <p className="claim q2">{page && !page.dead ? claimWords(page.statement, page) : ""}</p>
        <div className="lines">
          {(shown ?? (row.example ? [row.example] : [])).map((strip, i) => (
            <p key={`${strip.document}:${i}`}>
              <span className="num q">{fixed(strip.value)}</span>
              <StripLine strip={strip} max={row.peak} before={10} />
              <span className="micro">{words(strip.context)}</span>
            </p>
          ))}
        </div>
      </div>
    </section>
  );
}
