// What is one feature: what it fires on, how sure that is, what it raises, what it is made of?
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { FeaturePage as Page } from "../../src/api/types.ts";
import { usePageTitle } from "../app/hooks.ts";
import type { KeySpec } from "../app/keys.ts";
import { keepFeature, lastListOf, sibling } from "../app/last.ts";
import { dictionary as dictionaryQuery, feature as featureQuery, prompt } from "../app/queries.ts";
import { walked } from "../parts/concordance.tsx";
import { Shell } from "../parts/shell.tsx";
import { Empty, Loading, Refused } from "../parts/states.tsx";
import { Strip } from "../parts/strip.tsx";
import {
  fixed,
  indexWord,
  nameWords,
  percent,
  scientific,
  short,
  shortDictionary,
  unitWords,
  words,
} from "../words.ts";
import { Activation } from "./feature/activation.tsx";
import { Core, type OpenExample } from "./feature/core.tsx";
import {
  Bands,
  type ContextFigure,
  Contexts,
  claimWords,
  contextFigures,
  IsItOneThing,
  MadeOfNeurons,
  Nearest,
  NextToken,
  Spent,
} from "./feature/plates.tsx";

export function FeaturePage() {
  const { dictionary: id, index: raw } = useParams({ from: "/d/$dictionary/$index" });
  const search = useSearch({ from: "/d/$dictionary/$index" });
  const index = Number(raw);
  const navigate = useNavigate();
  const cache = useQueryClient();
  const { data: summary } = useQuery(dictionaryQuery(id));
  const { data: page, error, refetch } = useQuery(featureQuery(id, index, summary?.revision ?? 0));
  const input = useRef<HTMLInputElement>(null);
  const interval = search.at === undefined ? null : Number(search.at);
  const unit = unitWords[summary?.unit ?? "feature"];
  usePageTitle(page?.name ? `${raw} ${nameWords(page.name)}` : `${unit.One} ${raw}`);
  const d_sae = summary?.d_sae ?? page?.d_sae ?? 10_000;

  useEffect(() => keepFeature(id, index), [id, index]);
  const revision = summary?.revision;
  useEffect(() => {
    // The neighbours in the list are one key away.
    if (!page || revision === undefined) return;
    for (const step of [1, -1] as const) {
      const next = sibling(id, index, step, d_sae);
      if (next !== index) void cache.prefetchQuery(featureQuery(id, next, revision));
    }
  }, [page, revision, id, index, d_sae, cache]);

  const to = (step: 1 | -1) => () => {
    const next = sibling(id, index, step, d_sae);
    if (next !== index)
      void navigate({
        to: "/d/$dictionary/$index",
        params: { dictionary: id, index: String(next) },
        search: { figure: search.figure, claim: search.claim },
      });
  };
  const patch = (next: Partial<typeof search>, replace = true) =>
    void navigate({
      to: ".",
      search: { ...search, ...next } as never,
      replace,
      resetScroll: false,
    });
  const toInterval = (step: number) => () => {
    const many = page?.intervals.length ?? 0;
    if (many === 0) return;
    const next = Math.min(many - 1, Math.max(0, (interval ?? -1) + step));
    patch({ at: String(next) });
    const section = document.querySelector(`[data-interval="${next}"]`);
    section?.scrollIntoView({ block: "nearest" });
    section?.querySelector<HTMLElement>("[data-example]")?.focus({ preventScroll: true });
  };
  const open = openOf(search.open, search.token);
  const onOpen = (next: OpenExample | null) =>
    patch({
      open: next ? `${next.interval}.${next.example}` : undefined,
      token: next && next.token !== null ? String(next.token) : undefined,
    });
  const out = () => {
    if (open !== null) return onOpen(null);
    const last = lastListOf(id);
    void navigate({
      to: "/d/$dictionary",
      params: { dictionary: id },
      search: { ...last?.search, at: raw } as never,
      viewTransition: true,
    });
  };
  // In an open example the arrows go token by token, elsewhere feature by feature.
  const arrow = (step: 1 | -1) => () => {
    const strip = open && page?.intervals[open.interval]?.examples[open.example];
    if (open && strip) onOpen({ ...open, token: walked(strip, open.token, step) });
    else to(step)();
  };
  const keys: KeySpec[] = [
    {
      show: ["j", "k"],
      does: unit.one,
      on: { j: to(1), k: to(-1), ArrowRight: arrow(1), ArrowLeft: arrow(-1) },
    },
    { show: ["n", "p"], does: "interval", on: { n: toInterval(1), p: toInterval(-1) } },
    { show: ["←", "→"], does: "token of an open example", on: {}, quiet: true },
    { show: ["↵"], does: "open example", on: { Enter: toInterval(interval === null ? 1 : 0) } },
    { show: ["/"], does: "try a text", on: { "/": () => input.current?.focus() } },
    { show: ["Esc"], does: "back out", on: { Escape: out } },
  ];
  const figure = contextFigures.find((f) => f === search.figure) ?? "r_given_token";
  const word = page?.best_context ? words(page.best_context) : null;

  return (
    <Shell
      at="feature"
      place={{ dictionary: id, summary, site: page?.site }}
      stops={{
        feature: { object: indexWord(index, d_sae), to: `/d/${id}/${raw}` },
        example: { object: "your text", to: `/prompt/${id}` },
      }}
      keys={keys}
      twin={`/api/dictionaries/${id}/features/${raw}`}
    >
      {error && !page ? (
        <Refused error={error} retry={() => void refetch()} />
      ) : !page ? (
        <>
          <section className="fhead">
            <div>
              <div className="idline">
                <span className="spec">
                  {shortDictionary(id, summary?.model)} / {raw}
                </span>
              </div>
              <h1 className="title">&nbsp;</h1>
            </div>
          </section>
          <Loading of={`Asking for ${unit.one} ${raw}`} />
        </>
      ) : (
        <>
          <section className="fhead">
            <div>
              <div className="idline">
                <span className="spec">
                  {shortDictionary(id, summary?.model)} / {raw}
                </span>
                <span>
                  {unit.neuron ? "a neuron of" : "reads and writes"}{" "}
                  <span className="spec">{page.site}</span>
                </span>
                {!page.dead && <span>fires on {percent(page.density.value)} of tokens</span>}
                {!page.dead && <span>peak {fixed(page.peak)}</span>}
              </div>
              <h1 className="title" style={{ viewTransitionName: "feature-name" }}>
                {page.name ? nameWords(page.name) : `${unit.One} ${raw}`}
              </h1>
              {!page.dead && <p className="claim">{claimWords(page.statement, page)}</p>}
              {!page.dead && (
                <p className="micro mt-2">
                  made from its figures
                  {word
                    ? `; its best context, ${word}, was chosen on select and judged on eval`
                    : ""}
                </p>
              )}
              {!page.dead && (
                <TryText
                  key={search.try ?? ""}
                  id={id}
                  page={page}
                  text={search.try ?? ""}
                  input={input}
                  unit={unit.one}
                  onText={(text) => patch({ try: text || undefined }, false)}
                />
              )}
            </div>
            {!page.dead && (
              <IsItOneThing
                page={page}
                open={search.claim ?? null}
                onOpen={(metric) => patch({ claim: metric ?? undefined })}
              />
            )}
          </section>
          {page.dead ? (
            <Dead page={page} raw={raw} />
          ) : (
            <section className="body">
              <Core page={page} at={interval} open={open} onOpen={onOpen} />
              <div className="cols">
                <Activation page={page} />
                <Contexts
                  page={page}
                  figureKey={figure}
                  onFigure={(key: ContextFigure) =>
                    patch({ figure: key === "r_given_token" ? undefined : key })
                  }
                />
                <NextToken page={page} />
                {page.nearest.length > 0 && (
                  <Nearest page={page} of={unit.neuron ? "W_out" : "W_dec"} />
                )}
                {!unit.neuron && <MadeOfNeurons page={page} />}
                <Spent page={page} />
                <Bands page={page} />
              </div>
            </section>
          )}
        </>
      )}
    </Shell>
  );
}

/** "2.0" and "14": the first example of the third interval, its fifteenth token. */
function openOf(open: string | undefined, token: string | undefined): OpenExample | null {
  const place = /^(\d+)\.(\d+)$/.exec(open ?? "");
  if (!place) return null;
  const at = /^\d+$/.test(token ?? "") ? Number(token) : null;
  return { interval: Number(place[1]), example: Number(place[2]), token: at };
}

function Dead({ page, raw }: { page: Page; raw: string }) {
  return (
    <Empty
      name="Dead"
      action={
        <Link
          className="btn"
          to="/d/$dictionary"
          params={{ dictionary: page.dictionary }}
          search={{ alive: "1" }}
        >
          Those alive
        </Link>
      }
    >
      {raw} has not fired in {short(page.n_tokens)} tokens. Nothing can be shown of what it means.
      {page.density.high !== null && (
        <> Upper bound of its density, 95 %: {scientific(page.density.high)}.</>
      )}
    </Empty>
  );
}

function TryText({
  id,
  page,
  text,
  input,
  unit,
  onText,
}: {
  id: string;
  page: Page;
  text: string;
  input: React.RefObject<HTMLInputElement | null>;
  unit: string;
  onText: (text: string) => void;
}) {
  const [draft, setDraft] = useState(text);
  const { data, error } = useQuery(prompt(id, text, 64));
  const acts = data?.tokens.map((t) => t.features.find((f) => f.index === page.index)?.value ?? 0);
  const most = acts ? acts.reduce((best, a, i) => (a > acts[best]! ? i : best), 0) : 0;
  return (
    <>
      <form
        className="acts"
        onSubmit={(event) => {
          event.preventDefault();
          onText(draft);
          input.current?.blur();
        }}
      >
        <label className="field">
          <span className="sr">Try a text on this {unit}</span>
          <input
            ref={input}
            value={draft}
            maxLength={3000}
            placeholder={`Try a text on this ${unit}`}
            onChange={(event) => setDraft(event.target.value)}
            onKeyDown={(event) => event.key === "Escape" && input.current?.blur()}
          />
        </label>
        <button type="submit" className="btn">
          Try
        </button>
        <Link
          className="btn"
          to="/prompt/$dictionary"
          params={{ dictionary: id }}
          search={{ text: draft || undefined, wash: String(page.index) }}
        >
          Prompt
        </Link>
      </form>
      {error && text !== "" && <Refused error={error} />}
      {data && acts && text !== "" && (
        <div className="tried" role="status">
          <Strip
            pieces={data.tokens.map((t) => t.piece)}
            acts={acts}
            max={page.peak}
            peak={acts[most] ? most : undefined}
            wrap
          />
          <p className="micro">
            {acts[most]
              ? `fires on ${acts.filter((a) => a > 0).length} of ${acts.length} tokens, at most ${fixed(acts[most]!)} of its peak ${fixed(page.peak)}`
              : `does not fire on any of these ${acts.length} tokens`}
          </p>
        </div>
      )}
    </>
  );
}
