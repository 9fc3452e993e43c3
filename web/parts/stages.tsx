// How far is a run, in time, stage by stage, on one ruled line?
import type { RunState, Stage } from "../../src/api/types.ts";
import { useWidth } from "../app/hooks.ts";
import { duration, short, wholePercent } from "../words.ts";

interface Span {
  stage: Stage;
  from: number;
  to: number;
}

/** Known times as they were; the running stage by its rate; the waiting ones share what is left. */
export function spansOf(state: RunState): { spans: Span[]; total: number } {
  const now = state.elapsed_s;
  const over = state.status !== "running" && state.status !== "waiting";
  const total = over ? now : Math.max(now + (state.remaining_s ?? now * 0.5), now * 1.02, 1);
  const waiting = state.stages.filter((s) => s.started_s === null).length;
  let at = 0;
  let waited = 0;
  const spans = state.stages.map((stage): Span => {
    const from = stage.started_s ?? at;
    let to = stage.ended_s ?? total;
    if (stage.ended_s === null && stage.started_s !== null && waiting > 0 && !over) {
      const share = stage.total > 0 ? stage.done / stage.total : 0;
      const guess = share > 0.02 ? from + (now - from) / share : now + (total - now) / 2;
      to = Math.min(Math.max(guess, now), now + (total - now) * 0.85);
    } else if (stage.started_s === null) {
      to = from + (total - from) / (waiting - waited);
      waited++;
    }
    at = to;
    return { stage, from, to };
  });
  return { spans, total };
}

function detailOf({ stage }: Span): string {
  if (stage.state === "waiting" || stage.total <= 1) return "";
  const unit = stage.unit ? ` ${stage.unit}` : "";
  if (stage.state === "running")
    return `${short(stage.total)}${unit}, ${wholePercent(stage.done / stage.total)}`;
  return `${short(stage.done)}${unit}`;
}

const words = { waiting: "", running: "", done: " ✓", failed: " ▲ failed", stopped: " stopped" };

export function Stages({ state }: { state: RunState }) {
  const [ref, width] = useWidth<HTMLElement>(1376);
  const { spans, total } = spansOf(state);
  const k = width / total;
  const now = Math.min(state.elapsed_s, total);
  const live = state.status === "running";
  const ink = (t: number) => (t <= now + 1e-6 ? "var(--ink)" : "var(--line-2)");
  const step =
    [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800].find((s) => total / s <= width / 11) ?? 3600;
  const long = step * 5;
  const minute = [60, 120, 300, 600, 1800, 3600].find((m) => m * k >= 110) ?? 7200;

  // The running stage's name first, then the longest, where there is room.
  const taken: [number, number][] = [];
  const room = (from: number, size: number) => {
    if (from + size > width || taken.some(([a, b]) => from < b + 8 && from + size > a - 8))
      return false;
    taken.push([from, from + size]);
    return true;
  };
  const named = [...spans]
    .sort(
      (a, b) =>
        Number(b.stage.state === "running") - Number(a.stage.state === "running") ||
        Math.min(b.to, total) - b.from - (Math.min(a.to, total) - a.from),
    )
    .filter((s) => room(s.from * k + 6, (s.stage.name + words[s.stage.state]).length * 6.6));
  taken.length = 0;
  taken.push([now * k - 14, now * k + 14], [width - 62, width]);
  const detailed = named.filter((s) => {
    const text = detailOf(s);
    return text !== "" && room(s.from * k + 6, text.length * 5.9);
  });
  const minutes = Array.from(
    { length: Math.floor(total / minute) },
    (_, i) => (i + 1) * minute,
  ).filter((t) => t < total && room(t * k - 18, 36));
  return (
    <section className="stages" aria-label="Stages" ref={ref}>
      <svg width={width} height={44} role="img" aria-label={spoken(spans, state)}>
        {Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step).map((t) => (
          <path
            key={t}
            d={`M${(t * k).toFixed(1)} 22v${t % long === 0 ? -5 : -3}`}
            stroke={ink(t)}
            strokeWidth={0.75}
          />
        ))}
        {spans.map((s) => (
          <path
            key={s.stage.name}
            d={`M${Math.round(s.from * k) + 0.5} 22v-9`}
            stroke={ink(s.from)}
            shapeRendering="crispEdges"
          />
        ))}
        {named.map((s) => {
          const on = s.stage.state === "running";
          return (
            <text
              key={s.stage.name}
              x={s.from * k + 6}
              y={10}
              className={s.stage.state === "waiting" ? "" : "k"}
              style={{ fontSize: "12px", fontWeight: on ? 600 : 400 }}
            >
              {s.stage.name}
              {words[s.stage.state]}
            </text>
          );
        })}
        {detailed.map((s) => (
          <text
            key={s.stage.name}
            x={s.from * k + 6}
            y={39}
            className={s.stage.state === "running" ? "k2" : ""}
          >
            {detailOf(s)}
          </text>
        ))}
        {minutes.map((t) => (
          <text key={t} x={t * k} y={39} textAnchor="middle">
            {t / 60} min
          </text>
        ))}
        <path d={`M0 22H${now * k}`} stroke="var(--ink)" strokeWidth={2} />
        <path d={`M${now * k} 22H${width}`} stroke="var(--line-2)" />
        <circle
          cx={now * k}
          cy={22}
          r={5}
          fill={live ? "var(--pos-mark)" : "var(--ink)"}
          stroke="var(--page)"
          strokeWidth={2}
        />
        <text x={width} y={39} textAnchor="end">
          {duration(total)}
        </text>
        {live && (
          <text x={now * k} y={39} textAnchor="middle" className="k" style={{ fontWeight: 600 }}>
            now
          </text>
        )}
      </svg>
    </section>
  );
}

function spoken(spans: Span[], state: RunState): string {
  const parts = spans.map(
    (s) => `${s.stage.name} ${s.stage.state}${detailOf(s) ? `, ${detailOf(s)}` : ""}`,
  );
  return `${parts.join("; ")}; ${duration(state.elapsed_s)} gone`;
}
