// What a command says while it works: talk on stderr, the result alone on stdout.
import type { LoggedEvent } from "../workspace/events.ts";
import { emptyFold, reduce, stateAt } from "../workspace/reduce.ts";
import type { RunState, Stage } from "../workspace/run-state.ts";
import { bar, duration, number } from "./format.ts";

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface Talk {
  /** A line for whoever watches. */
  say(text: string): void;
  event(event: LoggedEvent): void;
  /** Removes the moving line. */
  end(): void;
}

export interface TalkOptions {
  to?: Output;
  quiet?: boolean;
  color?: boolean;
  now?: () => number;
}

/** Where nothing can move (a log file, CI), one line in so long. */
const stillMs = 10_000;
const movingMs = 100;
/** Figures shown beside the bar, in this order, when the job tells them. */
const shown = ["loss", "FVU", "L0", "dead"];

export function talker({
  to = process.stderr,
  quiet = false,
  color = to.isTTY === true && !process.env.NO_COLOR,
  now = Date.now,
}: TalkOptions = {}): Talk {
  const moving = to.isTTY === true;
  const dim = (text: string): string => (color ? `\u001b[2m${text}\u001b[22m` : text);
  const bold = (text: string): string => (color ? `\u001b[1m${text}\u001b[22m` : text);
  let fold = emptyFold("", "");
  let saidAt = 0;
  let lineShown = false;
  let lastNote: string | null = null;

  const clear = (): void => {
    if (lineShown) to.write("\r\u001b[K");
    lineShown = false;
  };
  const say = (text: string): void => {
    if (quiet) return;
    clear();
    to.write(`${text}\n`);
  };
  const move = (state: RunState, stage: Stage): void => {
    if (now() - saidAt < (moving ? movingMs : stillMs)) return;
    saidAt = now();
    if (!moving) {
      say(plainLine(state, stage));
      return;
    }
    const text = movingLine(state, stage);
    to.write(`\r\u001b[K${text.slice(0, Math.max(20, (to.columns || 100) - 1))}`);
    lineShown = true;
  };

  return {
    say,
    event(event) {
      const before = fold.state.stages;
      fold = reduce(fold, event);
      if (quiet) return;
      const state = stateAt(fold, event.at);
      if (fold.note !== null && fold.note !== lastNote) say(dim(fold.note));
      lastNote = fold.note;
      for (const stage of state.stages) {
        const old = before.find(({ name }) => name === stage.name);
        if (stage.state === old?.state) continue;
        if (stage.state === "done") say(`${bold("✓")} ${stage.name}  ${dim(took(stage))}`);
        else if (stage.state === "running" && !moving) say(`· ${stage.name}`);
      }
      const running = state.stages.findLast((stage) => stage.state === "running");
      if (running !== undefined) move(state, running);
    },
    end: clear,
  };
}

function took({ started_s, ended_s, done, unit }: Stage): string {
  const amount = done > 0 && unit !== "" ? `${number(done)} ${unit}, ` : "";
  return `${amount}${duration((ended_s ?? 0) - (started_s ?? 0))}`;
}

function plainLine(state: RunState, stage: Stage): string {
  const share = stage.total > 0 ? `${Math.floor((100 * stage.done) / stage.total)} %` : "";
  return `  ${[stage.name, share, ...details(state)].filter((part) => part !== "").join("  ")}`;
}

function movingLine(state: RunState, stage: Stage): string {
  if (!(stage.total > 0)) {
    const so = duration(state.elapsed_s - (stage.started_s ?? state.elapsed_s));
    return [`${stage.name} … ${so}`, ...details(state)].join("  ");
  }
  const share = stage.done / stage.total;
  const amount = `${number(stage.done)} of ${number(stage.total)} ${stage.unit}`;
  const percent = `${Math.floor(100 * share)} %`.padStart(5);
  return [`${stage.name} ${bar(share)}${percent}`, amount, ...details(state)].join("  ");
}

function details({ series, remaining_s }: RunState): string[] {
  const values = shown.flatMap((name) => {
    const last = series.find((s) => s.name === name)?.points.at(-1);
    return last === undefined ? [] : [`${name} ${number(last[1])}`];
  });
  return remaining_s === null ? values : [...values, `${duration(remaining_s)} left`];
}
