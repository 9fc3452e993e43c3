// Events → where the run stands: one pure function, for the page, the terminal and a restart alike.
import type { LoggedEvent, RunStarted } from "./events.ts";
import type { ContextProgress, RunState, Series, Stage } from "./run-state.ts";

/** Points a curve keeps; a screen shows no more. */
const maxPoints = 400;

export interface RunFold {
  readonly state: RunState;
  /** Milliseconds since 1970 when it last started: a run that was continued has several starts. */
  readonly began: number | null;
  /** Seconds of the sessions before. */
  readonly before_s: number;
  readonly shares: Readonly<Record<string, number>>;
  readonly figures: unknown;
  /** The latest sentence it had to say. */
  readonly note: string | null;
}

export function emptyFold(id: string, kind: string): RunFold {
  const state: RunState = {
    id,
    kind,
    model: "",
    site: "",
    dictionary: null,
    seed: 0,
    status: "waiting",
    elapsed_s: 0,
    remaining_s: null,
    memory_bytes: 0,
    tokens: 0,
    total_tokens: 0,
    stages: [],
    series: [],
    contexts: [],
    revision: null,
    problem: null,
  };
  return { state, began: null, before_s: 0, shares: {}, figures: null, note: null };
}

export function reduce(fold: RunFold, event: LoggedEvent): RunFold {
  const next = apply(fold, event);
  const { state } = next;
  if (next.began === null || (fold.state.status !== "running" && state.status !== "running"))
    return next;
  const elapsed_s = next.before_s + (event.at - next.began) / 1000;
  const remaining_s = state.status === "running" ? remaining(next, elapsed_s) : null;
  return { ...next, state: { ...state, elapsed_s, remaining_s } };
}

/** The state at another moment than the last event's: clocks go on while a step is long. */
export function stateAt(fold: RunFold, now: number): RunState {
  const { state, began, before_s } = fold;
  if (state.status !== "running" || began === null) return state;
  const elapsed_s = Math.max(state.elapsed_s, before_s + (now - began) / 1000);
  return { ...state, elapsed_s, remaining_s: remaining(fold, elapsed_s) };
}

function apply(fold: RunFold, event: LoggedEvent): RunFold {
  const { state } = fold;
  const change = (parts: Partial<RunState>): RunFold => ({
    ...fold,
    state: { ...state, ...parts },
  });
  switch (event.type) {
    case "run-started":
      return begin(fold, event);
    case "stage":
      return change({ stages: withStage(fold, event) });
    case "metric":
      return change({
        // The control is trained after the dictionary, from nothing again.
        tokens: ofControl(event.values) ? state.tokens : event.tokens,
        series: withPoint(state.series, event.tokens, event.values),
      });
    case "contexts":
      return change({ contexts: withContexts(state.contexts, event.rows) });
    case "bundle":
      return change({ dictionary: event.dictionary, revision: event.revision });
    case "memory":
      return change({ memory_bytes: Math.max(state.memory_bytes, event.bytes) });
    case "note":
      return { ...fold, note: event.text };
    case "failed":
      return change({ problem: event.problem, status: "failed" });
    case "ended":
      return { ...end(fold, event), figures: event.figures ?? fold.figures };
  }
}

function ofControl(values: Record<string, number>): boolean {
  return Object.keys(values).every((name) => name.startsWith("control."));
}

function begin(fold: RunFold, event: LoggedEvent & RunStarted): RunFold {
  const { state } = fold;
  const stages = event.stages.map(
    ({ name, total = 0, unit = "" }): Stage => ({
      name,
      state: "waiting",
      done: 0,
      total,
      unit,
      started_s: null,
      ended_s: null,
    }),
  );
  return {
    ...fold,
    began: event.at,
    before_s: state.elapsed_s,
    shares: Object.fromEntries(event.stages.map(({ name, share }) => [name, share ?? 0])),
    state: {
      ...state,
      status: "running",
      problem: null,
      model: event.model,
      site: event.site,
      seed: event.seed,
      total_tokens: event.total_tokens,
      dictionary: event.dictionary ?? state.dictionary,
      stages,
    },
  };
}

function end(
  fold: RunFold,
  event: LoggedEvent & { status: "done" | "failed" | "stopped" },
): RunFold {
  const at = elapsedAt(fold, event.at);
  const stages = fold.state.stages.map((stage): Stage => {
    if (stage.state !== "running") return stage;
    const done = event.status === "done" ? Math.max(stage.done, stage.total) : stage.done;
    return { ...stage, state: event.status, done, ended_s: at };
  });
  return { ...fold, state: { ...fold.state, status: event.status, stages } };
}

function elapsedAt({ began, before_s }: RunFold, at: number): number {
  return began === null ? 0 : before_s + (at - began) / 1000;
}

function withStage(fold: RunFold, event: LoggedEvent & { type: "stage" }): Stage[] {
  const at = elapsedAt(fold, event.at);
  const { stages } = fold.state;
  const old = stages.find(({ name }) => name === event.name);
  // A part of a stage, told by what it calls: the page shows what the run said it would do.
  if (old === undefined && stages.length > 0) return stages;
  const over = event.state !== "running" && event.state !== "waiting";
  const total = event.total ?? old?.total ?? 0;
  const made: Stage = {
    name: event.name,
    state: event.state,
    done: event.done ?? (event.state === "done" ? total : (old?.done ?? 0)),
    total,
    unit: event.unit ?? old?.unit ?? "",
    started_s: old?.started_s ?? (event.state === "waiting" ? null : at),
    ended_s: over ? at : null,
  };
  return old === undefined ? [...stages, made] : stages.map((s) => (s === old ? made : s));
}

/** A run that was continued says again what came after its checkpoint: the newer points count. */
function withPoint(series: Series[], tokens: number, values: Record<string, number>): Series[] {
  const names = new Set([...series.map(({ name }) => name), ...Object.keys(values)]);
  return [...names].map((name) => {
    const old = series.find((s) => s.name === name)?.points ?? [];
    const value = values[name];
    if (value === undefined || !Number.isFinite(value)) return { name, points: old };
    const kept =
      old.length > 0 && old.at(-1)![0] >= tokens ? old.filter(([at]) => at < tokens) : old;
    return { name, points: thin([...kept, [tokens, value]]) };
  });
}

/** Keeps first and last and points at least 1/200 of the range apart, once there are too many. */
function thin(points: [number, number][]): [number, number][] {
  if (points.length <= maxPoints) return points;
  const gap = (points.at(-1)![0] - points[0]![0]) / (maxPoints / 2);
  let kept = Number.NEGATIVE_INFINITY;
  return points.filter(([at], i) => {
    if (i !== points.length - 1 && at - kept < gap) return false;
    kept = at;
    return true;
  });
}

function withContexts(old: ContextProgress[], rows: ContextProgress[]): ContextProgress[] {
  const byName = new Map(old.map((row) => [row.context, row]));
  for (const row of rows) {
    const before = byName.get(row.context);
    const first = row.history[0]?.[0] ?? Number.POSITIVE_INFINITY;
    const kept = (before?.history ?? []).filter(([at]) => at < first);
    byName.set(row.context, {
      ...row,
      appeared_at: before?.appeared_at ?? row.appeared_at,
      history: thin([...kept, ...row.history]),
    });
  }
  return [...byName.values()];
}

/** The first steps are slower than the rest: before so much is done, nothing is promised. */
const enough = 0.04;

/** From the shares of the stages where they are given, else from the pace of the last stage. */
function remaining({ state, shares, before_s }: RunFold, elapsed_s: number): number | null {
  const part = ({ state: s, done, total }: Stage): number =>
    s === "done" ? 1 : total > 0 ? Math.min(1, done / total) : 0;
  const weight = (stage: Stage): number => shares[stage.name] ?? 0;
  const whole = state.stages.reduce((sum, stage) => sum + weight(stage), 0);
  if (whole > 0 && state.stages.every((stage) => weight(stage) > 0)) {
    const done = state.stages.reduce((sum, stage) => sum + weight(stage) * part(stage), 0) / whole;
    return done < enough ? null : (elapsed_s - before_s) * (1 / done - 1);
  }
  const running = state.stages.filter((stage) => stage.state === "running");
  const waiting = state.stages.some((stage) => stage.state === "waiting");
  if (waiting || running.length !== 1 || part(running[0]!) < enough) return null;
  return (elapsed_s - (running[0]!.started_s ?? 0)) * (1 / part(running[0]!) - 1);
}
