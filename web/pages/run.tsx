// How does a run go, live: its stages, its curves, and the first features as they appear?
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import type { RunState } from "../../src/api/types.ts";
import { part, post } from "../app/api.ts";
import { usePageTitle } from "../app/hooks.ts";
import type { KeySpec } from "../app/keys.ts";
import { home, run as runQuery } from "../app/queries.ts";
import { Chart, type ChartProps } from "../parts/chart.tsx";
import { FirstFeatures } from "../parts/first-features.tsx";
import { Shell } from "../parts/shell.tsx";
import { Stages } from "../parts/stages.tsx";
import { Empty, Loading, Refused, Stale } from "../parts/states.tsx";
import { Views } from "../parts/views.tsx";
import { bytes, duration, fixed, int, sentence, short } from "../words.ts";

type Feed = { state: "open" | "ended" } | { state: "lost"; since: number };

/** Whole states over server-sent events; what is unchanged keeps its identity in the cache. */
function useFeed(id: string, on: boolean): Feed {
  const cache = useQueryClient();
  const [feed, setFeed] = useState<Feed>({ state: "open" });
  useEffect(() => {
    if (!on) return;
    const source = new EventSource(`/api/runs/${part(id)}/events`);
    let last = Date.now();
    source.addEventListener("state", (event) => {
      last = Date.now();
      cache.setQueryData(["run", id], JSON.parse(event.data) as RunState);
      setFeed((f) => (f.state === "open" ? f : { state: "open" }));
    });
    source.addEventListener("end", () => {
      source.close();
      setFeed({ state: "ended" });
      void cache.invalidateQueries({ queryKey: ["home"] });
    });
    source.addEventListener("error", () => setFeed({ state: "lost", since: last }));
    return () => source.close();
  }, [id, on, cache]);
  return feed;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, "");

function seriesOf(state: RunState, names: readonly string[]) {
  // A look that gave no number arrives as null.
  const find = (prefix: string) =>
    state.series
      .find((s) => names.some((n) => plain(s.name) === prefix + plain(n)))
      ?.points.filter(([, v]) => Number.isFinite(v)) ?? [];
  return { points: find(""), control: find("control.") };
}

/** Ticks up to a round number above the largest value. */
function upTo(value: number, wanted: number, write: (v: number) => string): [number, string][] {
  const raw = Math.max(value, 1e-6) / wanted;
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = base * ([1, 2, 2.5, 5, 10].find((m) => m * base >= raw) ?? 10);
  return Array.from({ length: wanted + 1 }, (_, i) => [i * step, write(i * step)]);
}

function chartsOf(state: RunState): ChartProps[] {
  const most = (...sets: ReadonlyArray<readonly (readonly [number, number])[]>) =>
    Math.max(...sets.flat().map((p) => p[1]), 0);
  const fvu = seriesOf(state, ["FVU"]);
  const l0 = seriesOf(state, ["L0"]);
  const dead = seriesOf(state, ["dead"]);
  const ce = seriesOf(state, ["CE_recovered", "CE recovered"]);
  const low = Math.min(...[...fvu.points, ...fvu.control].map((p) => p[1]), 1);
  const floor = low >= 0.1 ? 0.1 : low >= 0.03 ? 0.03 : 0.01;
  const common = {
    total: Math.max(state.total_tokens, 1),
    live: state.status === "running",
    scale: "linear" as const,
  };
  const dot = (v: number) =>
    v === 0 || v === 1 ? String(v) : String(Number(v.toPrecision(2))).slice(1);
  const fvuTicks = ([0.01, 0.03, 0.1, 0.3, 1] as const).filter((v) => v >= floor);
  return [
    {
      ...common,
      ...fvu,
      name: "FVU",
      drawn: "unexplained variance, log",
      scale: "log",
      ticks: fvuTicks.map((v) => [v, dot(v)]),
      write: (v) => fixed(v, 3),
    },
    {
      ...common,
      ...l0,
      name: "L0",
      drawn: "features a token",
      ticks: upTo(Math.max(most(l0.points, l0.control) * 1.2, 1), 3, (v) => String(Math.round(v))),
      write: (v) => fixed(v, 1),
    },
    {
      ...common,
      ...dead,
      name: "dead",
      drawn: "share that no longer fires",
      ticks: upTo(Math.max(most(dead.points, dead.control) * 100, 4), 3, String).map(([v, t]) => [
        v / 100,
        t,
      ]),
      write: (v) => `${fixed(v * 100, 1)} %`,
    },
    {
      ...common,
      ...ce,
      name: "CE recovered",
      drawn: "zero ablation is 0",
      ticks: [
        [0, "0"],
        [0.5, ".5"],
        [1, "1"],
      ],
      write: (v) => fixed(v, 3),
    },
  ];
}

const titles: Record<RunState["status"], string> = {
  waiting: "About to look into",
  running: "Looking into",
  done: "Looked into",
  failed: "Failed while looking into",
  stopped: "Stopped while looking into",
};

export function RunPage() {
  const { run: id } = useParams({ from: "/runs/$run" });
  const { at } = useSearch({ from: "/runs/$run" });
  const navigate = useNavigate();
  const cache = useQueryClient();
  const { data: state, error, refetch } = useQuery(runQuery(id));
  const going = state?.status === "running" || state?.status === "waiting";
  const feed = useFeed(id, going);
  const { data: homeData } = useQuery({ ...home, staleTime: 60_000 });
  const readOnly = homeData?.read_only ?? null;
  const [asked, setAsked] = useState(false);
  const [stopError, setStopError] = useState<unknown>(null);
  usePageTitle(`Run ${id}`);

  // New pages of the dictionary make the lists ask again.
  const revision = state?.revision ?? null;
  const before = useRef(revision);
  useEffect(() => {
    if (before.current !== revision && state?.dictionary) {
      before.current = revision;
      void cache.invalidateQueries({ queryKey: ["dictionary", state.dictionary] });
      void cache.invalidateQueries({ queryKey: home.queryKey });
    }
  }, [revision, state?.dictionary, cache]);

  const dictionary = state?.revision !== null ? (state?.dictionary ?? null) : null;
  const rows = state?.contexts ?? [];
  const cursor = at === undefined ? -1 : rows.findIndex((c) => c.context === at);
  const move = (step: number) => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, cursor + step))];
    if (next)
      void navigate({ to: ".", search: { at: next.context }, replace: true, resetScroll: false });
  };
  const open = () => {
    const feature = rows[cursor]?.feature;
    if (dictionary && feature !== null && feature !== undefined)
      void navigate({
        to: "/d/$dictionary/$index",
        params: { dictionary, index: String(feature) },
        viewTransition: true,
      });
  };
  const stop = () => {
    setAsked(true);
    post(`/api/runs/${part(id)}/stop`, {}).catch((e: unknown) => {
      setAsked(false);
      setStopError(e);
    });
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
      },
    },
    { show: ["↵"], does: "open feature", on: { Enter: open } },
    {
      show: ["Esc"],
      does: "no row",
      quiet: true,
      on: {
        Escape: () => void navigate({ to: ".", search: {}, replace: true, resetScroll: false }),
      },
    },
  ];
  const charts = useMemo(() => (state ? chartsOf(state) : []), [state]);
  const stage = state?.stages.find((s) => s.state === "running");
  const status =
    state?.status === "running" ? (
      <span className="flex items-center gap-3 text-ink-2">
        <span className={feed.state === "lost" ? "dot" : "dot live"} />
        {feed.state === "lost"
          ? "connection lost, trying again"
          : stage
            ? `live, ${stage.name}${stage.total > 1 ? `, ${short(stage.done)} of ${short(stage.total)} ${stage.unit}` : ""}`
            : "live"}
      </span>
    ) : undefined;

  return (
    <Shell
      at="dictionary"
      place={{ dictionary: state?.dictionary ?? undefined, model: state?.model, site: state?.site }}
      stops={{
        family: { object: "none yet" },
        feature: {
          object: state?.revision === null ? "later" : "all",
          to: dictionary ? `/d/${dictionary}` : undefined,
        },
        token: { object: state ? `${short(state.tokens)} seen` : "–" },
      }}
      keys={keys}
      status={status}
      twin={`/api/runs/${id}`}
    >
      <section className={feed.state === "lost" ? "head stale" : "head"}>
        <h1 className="title">{state ? `${titles[state.status]} ${state.model}` : "Run"}</h1>
        {state && (
          <p className="stat">
            <span>
              run <span className="spec">{state.id}</span>
            </span>
            <span>seed {state.seed}</span>
            <span>
              <b>{duration(state.elapsed_s)}</b> gone
              {state.remaining_s !== null && going && (
                <>
                  , about <b>{duration(state.remaining_s)}</b> left
                </>
              )}
            </span>
            <span>{bytes(state.memory_bytes)} of memory at most</span>
          </p>
        )}
        <Views now="run" dictionary={dictionary} run={id}>
          {going && (
            <button
              type="button"
              className="btn"
              onClick={stop}
              disabled={asked || readOnly !== null}
              title={readOnly ?? undefined}
            >
              {asked ? "Stopping" : "Stop"}
            </button>
          )}
        </Views>
      </section>
      {feed.state === "lost" && (
        <Stale at={feed.since} why="The run’s events no longer arrive; this page tries again." />
      )}
      {stopError !== null && <Refused error={stopError} />}
      {error && !state ? (
        <Refused error={error} retry={() => void refetch()} />
      ) : !state ? (
        <Loading of="Asking where the run stands" />
      ) : (
        <>
          <Stages state={state} />
          <Interruption state={state} />
          <section className="curves" aria-label="Curves">
            {charts.map((chart) => (
              <Chart key={chart.name} {...chart} />
            ))}
          </section>
          <FirstFeatures state={state} dictionary={dictionary} at={at} />
          <p className="sr" role="status">
            {state.stages
              .filter((s) => s.state === "done")
              .map((s) => `${s.name} done`)
              .join(", ")}
          </p>
        </>
      )}
    </Shell>
  );
}

function Interruption({ state }: { state: RunState }) {
  if (state.status === "failed" && state.problem)
    return (
      <section className="state" role="alert" data-state="failed">
        <h2 className="alarm">▲ Failed</h2>
        <p className="claim">{sentence(state.problem.detail ?? state.problem.title)}</p>
        <code>{state.problem.code}</code>
        {state.problem.wanted && <code>wanted {state.problem.wanted}</code>}
        {state.problem.got && <code>found {state.problem.got}</code>}
        {state.problem.hint && <p className="small q2 pt-2">{state.problem.hint}</p>}
      </section>
    );
  if (state.status !== "stopped") return null;
  const stage = state.stages.find((s) => s.state === "stopped");
  return (
    <Empty name="Interrupted">
      The run stopped{" "}
      {stage
        ? `in ${stage.name}, at ${int(stage.done)} of ${int(stage.total)} ${stage.unit}`
        : `at ${short(state.tokens)} tokens`}
      . Nothing is lost: started again, it goes on from there to the same result.{" "}
      {state.dictionary && state.revision !== null && (
        <Link to="/d/$dictionary" params={{ dictionary: state.dictionary }}>
          What it found so far
        </Link>
      )}
    </Empty>
  );
}
