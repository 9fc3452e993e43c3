// What surrounds every page: mark, zoom rule, find, theme, keys, foot.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useRouter } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import type { DictionarySummary } from "../../src/api/types.ts";
import { toggleMarks, toggleTables } from "../app/hooks.ts";
import { type KeySpec, useKeys } from "../app/keys.ts";
import { lastFeatureOf } from "../app/last.ts";
import { home, model } from "../app/queries.ts";
import { toggleTheme } from "../app/theme.ts";
import { int, layerOf, short, shortDictionary, unitWords } from "../words.ts";
import { Foot } from "./foot.tsx";
import { type Level, levels, type Stop, ZoomRule } from "./zoom-rule.tsx";

const loadPalette = () => import("./palette.tsx");
const Palette = lazy(() => loadPalette().then((m) => ({ default: m.Palette })));
const Help = lazy(() => import("./help.tsx").then((m) => ({ default: m.Help })));

export interface ShellProps {
  at: Level;
  /** The place; what is known of it fills the rule. */
  place: {
    dictionary?: string;
    model?: string;
    site?: string;
    summary?: Pick<DictionarySummary, "d_sae" | "n_tokens" | "model" | "site" | "unit">;
  };
  stops?: Partial<Record<Level, Stop>>;
  keys?: readonly KeySpec[];
  status?: ReactNode;
  twin: string;
  children: ReactNode;
}

const none: readonly KeySpec[] = [];

function useStops({ at, place, stops }: ShellProps): Partial<Record<Level, Stop>> {
  const { summary, dictionary } = place;
  const modelName = place.model ?? summary?.model;
  const site = place.site ?? summary?.site;
  const unit = unitWords[summary?.unit ?? "feature"];
  const info = useQuery({ ...model(modelName ?? ""), enabled: modelName !== undefined });
  const here = levels.indexOf(at);
  const list = dictionary ? `/d/${dictionary}` : undefined;
  const visited = dictionary ? lastFeatureOf(dictionary) : null;
  const known: Partial<Record<Level, Stop>> = {
    model: { object: modelName ?? "–", to: "/" },
    layer: { object: site ? layerOf(site) : "–", to: list },
    dictionary: {
      name: unit.neuron ? "neurons" : undefined,
      object: dictionary ? shortDictionary(dictionary, modelName) : "–",
      to: list,
    },
    family: { object: "none yet" },
    feature: {
      name: unit.one,
      object: summary ? (here > 4 ? `all ${int(summary.d_sae)}` : int(summary.d_sae)) : "–",
      to: list && visited !== null ? `${list}/${visited}` : list,
    },
    example: { object: "your text", to: dictionary ? `/prompt/${dictionary}` : undefined },
    token: { object: summary ? short(summary.n_tokens) : "–" },
    weight: { object: info.data ? short(info.data.parameters) : "–" },
  };
  for (const [level, stop] of Object.entries(stops ?? {}))
    known[level as Level] = { name: known[level as Level]?.name, ...stop };
  return known;
}

export function Shell(props: ShellProps) {
  const { at, place, keys = none, status, twin, children } = props;
  const [layer, setLayer] = useState<"palette" | "help" | null>(null);
  const navigate = useNavigate();
  const router = useRouter();
  const stops = useStops(props);
  const unit = unitWords[place.summary?.unit ?? "feature"];
  const homeData = useQuery({ ...home, staleTime: 60_000 });
  const dictionary = place.dictionary ?? homeData.data?.dictionaries[0]?.id;
  const runOf = homeData.data?.runs.find((r) => r.dictionary === dictionary)?.id;
  const runId = runOf ?? homeData.data?.runs[0]?.id;

  const shared = useMemo((): KeySpec[] => {
    const go = (to: string) => () => void navigate({ to: to as never });
    const zoom = (step: 1 | -1) => () => {
      const here = levels.indexOf(at);
      for (let i = here + step; i >= 0 && i < levels.length; i += step) {
        const to = stops[levels[i]!]?.to;
        if (to !== undefined && to !== router.state.location.pathname) return go(to)();
      }
    };
    const on: Record<string, () => void> = {};
    if (runId) on["g r"] = go(`/runs/${runId}`);
    if (dictionary) {
      on["g l"] = go(`/d/${dictionary}`);
      on["g p"] = go(`/prompt/${dictionary}`);
    }
    return [
      {
        show: ["−", "+"],
        does: "zoom",
        on: { "-": zoom(-1), "−": zoom(-1), "+": zoom(1), "=": zoom(1) },
      },
      { show: ["g r"], does: "run", on: { "g r": on["g r"] ?? go("/") }, quiet: true },
      {
        show: ["g l"],
        does: `list of ${unit.many}`,
        on: { "g l": on["g l"] ?? go("/") },
        quiet: true,
      },
      { show: ["g p"], does: "prompt", on: { "g p": on["g p"] ?? go("/") }, quiet: true },
      { show: ["m"], does: "marks for spaces", on: { m: toggleMarks }, quiet: true },
      { show: ["t"], does: "theme", on: { t: toggleTheme }, quiet: true },
      { show: ["Alt T"], does: "charts as tables", on: {}, quiet: true },
      { show: ["Ctrl K"], does: "find anything", on: {}, quiet: true },
      { show: ["?"], does: "all keys", on: { "?": () => setLayer("help") }, quiet: true },
    ];
  }, [at, stops, runId, dictionary, navigate, router, unit]);
  const all = useMemo(() => [...keys, ...shared], [keys, shared]);
  useKeys(all);

  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setLayer("palette");
      } else if (event.altKey && event.code === "KeyT") {
        event.preventDefault();
        toggleTables();
      } else if (event.key === "Control" || event.key === "Meta") void loadPalette();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);

  return (
    <>
      <a className="skip" href="#main">
        To the page
      </a>
      <header className="bar">
        <Link className="mark" to="/">
          <Mark />
          micrographia
        </Link>
        <ZoomRule at={at} stops={stops} />
        <div className="tools">
          <button
            type="button"
            className="find"
            aria-label="Find"
            onClick={() => setLayer("palette")}
          >
            <span>{unit.One}, text, context</span>
            <kbd>Ctrl K</kbd>
          </button>
          <button type="button" className="icon" aria-label="Change theme" onClick={toggleTheme}>
            <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
              <circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" strokeWidth="1.3" />
              <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
            </svg>
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <p className="address" aria-hidden="true">
        {location.href}
      </p>
      <Foot keys={keys} status={status} twin={twin} help={() => setLayer("help")} />
      <Suspense>
        {layer === "palette" && (
          <Palette dictionary={dictionary} run={runId} close={() => setLayer(null)} />
        )}
        {layer === "help" && <Help keys={all} close={() => setLayer(null)} />}
      </Suspense>
    </>
  );
}

function Mark() {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      aria-hidden="true"
    >
      <circle cx="10" cy="10" r="6.5" strokeWidth="1.3" />
      <path d="M10 0v5M10 15v5M0 10h5M15 10h5" strokeWidth="1.3" />
      <circle cx="10" cy="10" r="1.4" fill="currentColor" stroke="none" />
    </svg>
  );
}
