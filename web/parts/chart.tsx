// How does one figure of a live run stand, beside its control, from the first token to the last?
import { useTables, useWidth } from "../app/hooks.ts";
import { short } from "../words.ts";
import { Plate } from "./plate.tsx";

export type Points = readonly (readonly [number, number])[];

export interface ChartProps {
  name: string;
  drawn: string;
  points: Points;
  control: Points;
  /** The axis runs to here; what is still to come is the well. */
  total: number;
  live: boolean;
  scale: "linear" | "log";
  ticks: readonly (readonly [number, string])[];
  write: (value: number) => string;
}

const height = 112;
const left = 26;

/** A path of at most two points a pixel. */
function pathOf(
  points: Points,
  x: (t: number) => number,
  y: (v: number) => number,
  width: number,
): string {
  const step = Math.max(1, Math.floor(points.length / (2 * Math.max(width, 1))));
  const parts: string[] = [];
  for (let i = 0; i < points.length; i++)
    if (i % step === 0 || i === points.length - 1)
      parts.push(`${x(points[i]![0]).toFixed(1)} ${y(points[i]![1]).toFixed(1)}`);
  return parts.length > 0 ? `M${parts.join("L")}` : "";
}

/** Where a label stands at the end of the axis: away from the other line, over both near the floor. */
function labelAt(own: number, other: number): number {
  const under = own > other;
  if (!under) return own - 7;
  if (own + 16 <= height + 4) return own + 16;
  return own - other < 22 ? other - 20 : own - 7;
}

/** Round steps in the unit of the whole: 0, 2, 4 … 10 M. */
export function tokenTicks(total: number, wide: number): { at: number; text: string }[] {
  const raw = total / Math.max(2, wide);
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = base * ([1, 2, 5, 10].find((m) => m * base >= raw) ?? 10);
  const unit = total >= 1e6 ? 1e6 : total >= 1e3 ? 1e3 : 1;
  const suffix = unit === 1e6 ? " M" : unit === 1e3 ? " k" : "";
  const out: { at: number; text: string }[] = [];
  for (let at = 0; at < total - step * 0.45; at += step)
    out.push({ at, text: String(Number((at / unit).toFixed(2))) });
  out.push({ at: total, text: `${Number((total / unit).toPrecision(3))}${suffix}` });
  return out;
}

export function Chart(props: ChartProps) {
  const { name, drawn, points, control, total, live, scale, ticks, write } = props;
  const [ref, width] = useWidth<HTMLDivElement>(322);
  const tables = useTables();
  const low = ticks[0]![0];
  const high = ticks.at(-1)![0];
  const x = (t: number) => left + (Math.min(t, total) / total) * (width - left);
  const y = (v: number) => {
    const q =
      scale === "log"
        ? (Math.log(Math.max(v, 1e-9)) - Math.log(low)) / (Math.log(high) - Math.log(low))
        : (v - low) / (high - low);
    return 8 + (1 - Math.min(1, Math.max(0, q))) * height;
  };
  const last = points.at(-1);
  const lastControl = control.at(-1);
  const now = Math.max(last?.[0] ?? 0, 0);
  const label = last ? `${name} ${write(last[1])}` : `${name}, nothing yet`;
  const room = width - x(now);
  const controlY = lastControl ? y(lastControl[1]) : 0;
  const apart = last && lastControl ? controlY - y(last[1]) : 99;
  const nudge = Math.abs(apart) < 13 ? (apart >= 0 ? 13 - apart : -13 - apart) : 0;
  const controlSame = last && lastControl && write(last[1]) === write(lastControl[1]);
  // At the end of the axis the labels stand left of it, above the line.
  const inside = room < 96;
  return (
    <Plate name={name} value={last ? write(last[1]) : ""} drawn={drawn}>
      <div ref={ref}>
        <svg
          width={width}
          height={height + 26}
          role="img"
          aria-label={`${label}${lastControl ? `, control ${write(lastControl[1])}` : ", control pending"}, after ${short(now)} of ${short(total)} tokens`}
        >
          {ticks.map(([value, text]) => (
            <g key={value}>
              <path className="gr" d={`M${left} ${Math.round(y(value)) + 0.5}H${width}`} />
              <text x={left - 6} y={y(value) + 4} textAnchor="end">
                {text}
              </text>
            </g>
          ))}
          {live && last && (
            <rect
              x={x(now)}
              y={8}
              width={Math.max(0, width - x(now))}
              height={height}
              fill="var(--well)"
            />
          )}
          <path className="ct" d={pathOf(control, x, y, width)} />
          <path className="dt" d={pathOf(points, x, y, width)} />
          {last && (
            <>
              <circle
                cx={x(last[0])}
                cy={y(last[1])}
                r={3.5}
                className={live ? "bp" : "bi"}
                stroke="var(--page)"
                strokeWidth={1.5}
              />
              <text
                className="k halo"
                x={inside ? x(now) - 8 : x(now) + 8}
                y={
                  inside ? labelAt(y(last[1]), lastControl ? controlY : height + 8) : y(last[1]) + 4
                }
                textAnchor={inside ? "end" : "start"}
                fontWeight={600}
                style={{ fontWeight: 600 }}
              >
                {write(last[1])}
              </text>
            </>
          )}
          {lastControl && !controlSame && (
            <text
              className="halo"
              x={
                inside ? x(Math.max(now, lastControl[0])) - 8 : x(Math.max(now, lastControl[0])) + 8
              }
              y={inside ? labelAt(controlY, last ? y(last[1]) : 0) : controlY + 4 + nudge}
              textAnchor={inside ? "end" : "start"}
            >
              control {write(lastControl[1])}
            </text>
          )}
          <path className="ax" d={`M${left} ${height + 8.5}H${width}`} />
          {tokenTicks(total, width < 260 ? 3 : 5).map(({ at, text }) => (
            <g key={at}>
              <path className="ax" d={`M${x(at)} ${height + 8}v3`} />
              <text x={x(at)} y={height + 23} textAnchor={at === total ? "end" : "middle"}>
                {text}
              </text>
            </g>
          ))}
        </svg>
      </div>
      {tables && <ChartTable {...props} />}
    </Plate>
  );
}

function ChartTable({ name, points, control, write }: ChartProps) {
  const step = Math.max(1, Math.ceil(points.length / 12));
  const shown = points.filter((_, i) => i % step === 0 || i === points.length - 1);
  const at = (t: number) => control.findLast(([u]) => u <= t);
  return (
    <table className="rd">
      <thead>
        <tr>
          <th scope="col">tokens</th>
          <th scope="col">{name}</th>
          <th scope="col">control</th>
        </tr>
      </thead>
      <tbody>
        {shown.map(([t, v]) => (
          <tr key={t}>
            <td>{short(t)}</td>
            <td className="v">{write(v)}</td>
            <td className="c">{at(t) ? write(at(t)![1]) : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
