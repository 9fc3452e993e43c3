// Which features does a dictionary hold: all of them, in any order, through any filter?
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useDelayed, usePageTitle } from "../app/hooks.ts";
import type { KeySpec } from "../app/keys.ts";
import { keepList } from "../app/last.ts";
import { dictionary as dictionaryQuery } from "../app/queries.ts";
import { Shell } from "../parts/shell.tsx";
import { Loading, Refused, Stale } from "../parts/states.tsx";
import { Views } from "../parts/views.tsx";
import { fixed, int, shortDictionary, unitWords, words } from "../words.ts";
import { Facets } from "./list/facets.tsx";
import { pageSize, usePages } from "./list/pages.ts";
import {
  apiParams,
  chipsOf,
  type ListSearch,
  type Sort,
  sortOf,
  sorts,
  sortWords,
} from "./list/params.ts";
import { Peek } from "./list/peek.tsx";
import { Nothing, QueryBar } from "./list/query-bar.tsx";
import { Head, type Look, Row } from "./list/rows.tsx";

export function ListPage() {
  const { dictionary: id } = useParams({ from: "/d/$dictionary" });
  const search = useSearch({ from: "/d/$dictionary" }) as ListSearch;
  const navigate = useNavigate();
  const { data: summary, error, refetch } = useQuery(dictionaryQuery(id));
  const unit = unitWords[summary?.unit ?? "feature"];
  usePageTitle(`${unit.Many} · ${id}`);
  const { sort, order } = sortOf(search);
  const params = apiParams(search);
  const input = useRef<HTMLInputElement>(null);
  const body = useRef<HTMLTableElement>(null);
  const [start, setStart] = useState(0);
  const tall =
    typeof matchMedia === "function" && matchMedia("(max-width: 700px)").matches ? 32 : 24;

  const [span, setSpan] = useState<[number, number]>([0, 0]);
  const wanted = useMemo(
    () => Array.from({ length: span[1] - span[0] + 1 }, (_, i) => span[0] + i),
    [span],
  );
  const pages = usePages(id, summary?.revision ?? 0, params, summary ? wanted : []);
  const total = pages.first?.matching ?? 0;
  const virtual = useWindowVirtualizer({
    count: total,
    estimateSize: () => tall,
    overscan: 12,
    scrollMargin: start,
    // The foot, and the peek above it, cover the last rows.
    scrollPaddingEnd: search.peek ? 240 : 32,
  });
  const items = virtual.getVirtualItems();
  const from = items[0]?.index ?? 0;
  const to = items.at(-1)?.index ?? 0;
  useEffect(() => {
    setSpan((s) => {
      const next: [number, number] = [Math.floor(from / pageSize), Math.floor(to / pageSize)];
      return s[0] === next[0] && s[1] === next[1] ? s : next;
    });
  }, [from, to]);
  const ready = pages.first !== undefined;
  useLayoutEffect(() => {
    if (body.current) setStart(body.current.getBoundingClientRect().top + window.scrollY + 22);
  }, []);
  useLayoutEffect(() => {
    if (ready && body.current)
      setStart(body.current.getBoundingClientRect().top + window.scrollY + 22);
  }, [ready]);

  // The cursor moves at once; the address follows when it rests.
  const [place, setPlace] = useState(-1);
  const rowHere = place >= 0 ? pages.rowAt(place) : undefined;
  const atNow = rowHere?.index;
  const resting = useDelayed(atNow, 180);
  const setSearch = useCallback(
    (next: ListSearch, replace = false) =>
      void navigate({ to: ".", search: next as never, replace, resetScroll: false }),
    [navigate],
  );
  useEffect(() => {
    if (resting !== undefined && resting === atNow && String(resting) !== search.at)
      setSearch({ ...search, at: String(resting) }, true);
  }, [resting, atNow, search, setSearch]);
  // A page that opens with `at` puts its cursor there as soon as the row is seen.
  const restored = useRef(false);
  const asked = search.at === undefined ? -1 : pages.placeOf(search.at);
  useEffect(() => {
    if (restored.current || asked < 0) return;
    restored.current = true;
    setPlace((p) => (p < 0 ? asked : p));
  }, [asked]);
  const seen = pages.order.join(",");
  useEffect(() => {
    const kept: Record<string, string> = {};
    for (const [key, value] of Object.entries(search)) if (value) kept[key] = value;
    if (seen !== "" && !pages.old)
      keepList({ dictionary: id, search: kept, order: seen.split(",").map(Number) });
  }, [id, search, seen, pages.old]);

  const move = (step: number) => {
    if (total === 0) return;
    const next = Math.min(total - 1, Math.max(0, place + step));
    setPlace(next);
    virtual.scrollToIndex(next, { align: "auto" });
    requestAnimationFrame(() => {
      const focus = document.activeElement;
      if (focus === null || focus === document.body || focus.hasAttribute("data-place"))
        document
          .querySelector<HTMLElement>(`[data-place="${next}"]`)
          ?.focus({ preventScroll: true });
    });
  };
  const openAt = useCallback(
    (index: number) =>
      void navigate({
        to: "/d/$dictionary/$index",
        params: { dictionary: id, index: String(index) },
        viewTransition: true,
      }),
    [navigate, id],
  );
  const rowAt = useRef(pages.rowAt);
  rowAt.current = pages.rowAt;
  const onPlace = useCallback(
    (next: number, open: boolean) => {
      setPlace(next);
      const row = rowAt.current(next);
      if (open && row) openAt(row.index);
    },
    [openAt],
  );
  const reorder = (next: Sort) => {
    const flip = next === sort && order === (next === "index" ? "asc" : "desc");
    const { at: _at, ...rest } = search;
    setPlace(-1);
    setSearch({
      ...rest,
      sort: next === "r" ? undefined : next,
      order: flip ? (order === "asc" ? "desc" : "asc") : undefined,
    });
  };
  const filter = useCallback(
    (next: ListSearch) => {
      const { at: _at, ...rest } = next;
      setPlace(-1);
      setSearch(rest);
    },
    [setSearch],
  );
  const peek = () => {
    if (place < 0) move(1);
    setSearch({ ...search, peek: search.peek ? undefined : "1" }, true);
  };
  const keys: KeySpec[] = [
    {
      show: ["j", "k"],
      does: "row",
      on: {
        j: () => move(1),
        k: () => move(-1),
        ArrowDown: () => move(1),
        ArrowUp: () => move(-1),
        PageDown: () => move(20),
        PageUp: () => move(-20),
        Home: () => move(-total),
        End: () => move(total),
      },
    },
    { show: ["↵"], does: "open", on: { Enter: () => rowHere && openAt(rowHere.index) } },
    { show: ["Space"], does: "peek", on: { " ": peek } },
    { show: ["/"], does: "filter", on: { "/": () => input.current?.focus() } },
    {
      show: ["o"],
      does: "order",
      on: { o: () => reorder(sorts[(sorts.indexOf(sort) + 1) % sorts.length]!) },
    },
    {
      show: ["f"],
      does: "facets",
      on: { f: () => setSearch({ ...search, facets: search.facets ? undefined : "open" }, true) },
    },
    {
      show: ["Esc"],
      does: "no filter",
      quiet: true,
      on: {
        Escape: () =>
          search.peek
            ? setSearch({ ...search, peek: undefined }, true)
            : filter(sort === "r" ? {} : { sort: search.sort, order: search.order }),
      },
    },
  ];
  const look = useMemo<Look>(
    () => ({ dictionary: id, d_sae: summary?.d_sae ?? 10_000, find: search.q ?? "" }),
    [id, summary?.d_sae, search.q],
  );
  const chips = chipsOf(search, words);
  const above = items.length > 0 ? items[0]!.start - start : 0;
  const below = items.length > 0 ? virtual.getTotalSize() - (items.at(-1)!.end - start) : 0;
  const twin = `/api/dictionaries/${id}/features?${params}`;

  return (
    <Shell
      at="dictionary"
      place={{ dictionary: id, summary }}
      keys={keys}
      twin={twin}
      status={
        summary && summary.state !== "controlled" ? (
          <span className="flex items-center gap-3 text-ink-2">
            <span className="dot live" />
            {summary.state === "interim" ? "the dictionary so far" : "control pending"}
          </span>
        ) : undefined
      }
    >
      <section className="head">
        <h1 className="title">{unit.Many}</h1>
        {summary && (
          <p className="stat">
            <span>
              <b>{int(summary.d_sae)}</b> in the {unit.whole}
            </span>
            <span>
              <b>{int(summary.alive)}</b> alive
            </span>
            <span>
              <b>{int(summary.dead)}</b> dead
            </span>
            <span>
              <b>{summary.contexts.length}</b> contexts
            </span>
            {summary.threshold !== null && (
              <span>{`active above ${fixed(summary.threshold, summary.threshold > 0 ? 3 : 0)}`}</span>
            )}
            <span className="spec">{shortDictionary(id, summary.model)}</span>
          </p>
        )}
        <Views now="list" dictionary={id}>
          <button
            type="button"
            className="btn only-narrow"
            aria-expanded={search.facets === "open"}
            onClick={() =>
              setSearch({ ...search, facets: search.facets ? undefined : "open" }, true)
            }
          >
            Facets
          </button>
        </Views>
      </section>
      {error && !summary ? (
        <Refused error={error} retry={() => void refetch()} />
      ) : (
        <div className="grid">
          <aside className={search.facets ? "side open" : "side"} aria-label="Facets">
            {pages.first && summary && (
              <Facets
                facets={pages.first.facets}
                summary={summary}
                search={search}
                onSearch={filter}
              />
            )}
          </aside>
          <section aria-label={unit.Many} className="min-w-0">
            <QueryBar
              key={search.q ?? ""}
              search={search}
              chips={chips}
              input={input}
              onSearch={filter}
              onLeave={() => move(place < 0 ? 1 : 0)}
              result={
                pages.first && (
                  <>
                    <b>{int(total)}</b> of {int(pages.first.total)}, by {sortWords[sort]}
                  </>
                )
              }
            />
            {error && summary && <Stale at={pages.fetchedAt} why="The server no longer answers." />}
            {pages.error && <Refused error={pages.error} retry={pages.retry} />}
            {!pages.first && !pages.error && (
              <Loading
                of={
                  summary
                    ? `${int(summary.d_sae)} ${unit.many}, sorting`
                    : "Asking for the dictionary"
                }
              />
            )}
            {pages.first && total === 0 ? (
              <Nothing chips={chips} search={search} onSearch={filter} />
            ) : (
              <table className="ls" ref={body} aria-rowcount={total + 1} hidden={!pages.first}>
                <Head sort={sort} order={order} unit={unit.one} onSort={reorder} />
                <tbody>
                  {above > 0 && <Gap height={above} />}
                  {items.map((item) => (
                    <Row
                      key={item.index}
                      row={pages.rowAt(item.index)}
                      place={item.index}
                      at={item.index === place}
                      entry={place < 0 ? item.index === from : item.index === place}
                      look={look}
                      onPlace={onPlace}
                    />
                  ))}
                  {below > 0 && <Gap height={below} />}
                </tbody>
              </table>
            )}
            {search.peek && rowHere && summary && (
              <Peek
                row={rowHere}
                dictionary={id}
                d_sae={summary.d_sae}
                revision={summary.revision}
                close={() => setSearch({ ...search, peek: undefined }, true)}
              />
            )}
          </section>
        </div>
      )}
    </Shell>
  );
}

function Gap({ height }: { height: number }) {
  return (
    <tr className="gap">
      <td style={{ height }} />
    </tr>
  );
}
