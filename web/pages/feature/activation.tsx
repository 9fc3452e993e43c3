// How strongly does it fire, how often, and where is what it says said?
import type { FeaturePage } from "../../../src/api/types.ts";
import { useTables, useWidth } from "../../app/hooks.ts";
import { Plate } from "../../parts/plate.tsx";
import { fixed, int, power, wholePercent } from "../../words.ts";

const height = 92;
const left = 24;

/** Smallest set of strongest bins that carries half of the total. */
function halfOf(page: FeaturePage): { above: number; tokens: number } | null {
  const { histogram, value_share } = page.activation;
  const all = histogram.counts.reduce((a, b) => a + b, 0);
  let share = 0;
  let tokens = 0;
  for (let i = value_share.length - 1; i >= 0; i--) {
    share += value_share[i]!;
    tokens += histogram.counts[i]!;
    if (share >= 0.5) return { above: histogram.edges[i]!, tokens: tokens / Math.max(all, 1) };
  }
  return null;
}

export function Activation({ page }: { page: FeaturePage }) {
  const [ref, width] = useWidth<HTMLDivElement>(524);
  const tables = useTables();
  const { histogram, value_share, control } = page.activation;
  const { counts, edges } = histogram;
  const low = edges[0] ?? 0;
  const high = edges.at(-1) ?? 1;
  const inner = width - left;
  const most = Math.max(...counts, ...(control ?? []), 10);
  const decades = Math.max(1, Math.ceil(Math.log10(most) - 0.05));
  const y = (count: number) => height - (Math.log10(Math.max(count, 1)) / decades) * (height - 8);
  const x = (value: number) => left + ((value - low) / (high - low)) * inner;
  const bar = inner / Math.max(counts.length, 1);
  const middle = (i: number) => left + (i + 0.5) * bar;
  const shareMost = Math.max(...value_share, 1e-9);
  const shareLine = value_share
    .map(
      (v, i) => `${middle(i).toFixed(1)} ${(height - (v / shareMost) * height * 0.8).toFixed(1)}`,
    )
    .join("L");
  const controlLine = control
    ?.map((v, i) => `${middle(i).toFixed(1)} ${y(v).toFixed(1)}`)
    .join("L");
  const half = halfOf(page);
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => (high - low) / s <= 6) ?? 100;
  const ticks = Array.from(
    { length: Math.floor((high - low) / step - 0.25) + 1 },
    (_, i) => low + i * step,
  );
  const peakBin = value_share.indexOf(shareMost);
  const shareX = Math.min(width - 60, Math.max(left + 150, middle(Math.max(peakBin, 0)) + 40));
  return (
    <Plate
      className="wide"
      name="Activation"
      drawn="tokens per bin, log · value of a bin, share of the total"
      caption={
        half &&
        `Half of everything it says is said above ${fixed(half.above, 1)}, by ${wholePercent(half.tokens)} of the tokens it fires on.`
      }
    >
      <div ref={ref}>
        <svg
          width={width}
          height={height + 22}
          role="img"
          aria-label={`Histogram of ${int(counts.reduce((a, b) => a + b, 0))} activations up to ${fixed(high)}${half ? `; half of the total lies above ${fixed(half.above, 1)}` : ""}`}
        >
          {Array.from({ length: decades - 1 }, (_, i) => i + 1).map((k) => (
            <g key={k}>
              <path className="gr" d={`M${left} ${Math.round(y(10 ** k)) + 0.5}H${width}`} />
              <text x={left - 4} y={y(10 ** k) + 4} textAnchor="end">
                {k === 1 ? "10" : power(k)}
              </text>
            </g>
          ))}
          {counts.map((count, i) =>
            count === 0 ? null : (
              <rect
                key={edges[i]}
                className={`h${Math.min(16, Math.max(2, Math.ceil(((i + 1) / counts.length) * 16)))}`}
                x={left + i * bar}
                y={Math.min(y(count), height - 1.5)}
                width={Math.max(bar - 1, 1)}
                height={Math.max(height - y(count), 1.5)}
              />
            ),
          )}
          {controlLine && <path className="ct" d={`M${controlLine}`} />}
          <path
            d={`M${shareLine}`}
            fill="none"
            stroke="var(--page)"
            strokeWidth={4.5}
            strokeLinejoin="round"
          />
          <path className="dt" d={`M${shareLine}`} />
          <path className="ax" d={`M${left} ${height + 0.5}H${width}`} />
          {ticks.map((t) => (
            <g key={t}>
              <path className="ax" d={`M${x(t)} ${height}v4`} />
              <text x={x(t)} y={height + 15} textAnchor="middle">
                {Number(t.toFixed(2))}
              </text>
            </g>
          ))}
          <text x={width} y={height + 15} textAnchor="end">
            {fixed(high)}
          </text>
          <text className="k halo" x={shareX} y={12} textAnchor="middle">
            share of the total
          </text>
          {controlLine && (
            <text className="halo" x={left + inner * 0.06} y={9}>
              control
            </text>
          )}
        </svg>
      </div>
      {tables && (
        <table className="rd">
          <thead>
            <tr>
              <th scope="col">from</th>
              <th scope="col">tokens</th>
              <th scope="col">share of the total</th>
              <th scope="col">control, tokens</th>
            </tr>
          </thead>
          <tbody>
            {counts.map((count, i) => (
              <tr key={edges[i]}>
                <td>{fixed(edges[i]!)}</td>
                <td className="v">{int(count)}</td>
                <td className="e">{wholePercent(value_share[i] ?? 0)}</td>
                <td className="c">{control ? int(control[i] ?? 0) : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Plate>
  );
}
