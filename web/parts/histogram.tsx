// How is a distribution drawn: whole, in ink, in the wash of activations, or as a facet that filters?
import type { Histogram as HistogramData } from "../../src/api/types.ts";

/** A facet: the kept part in ink; a bar, clicked, is where the filter begins or ends. */
export function FacetHistogram({
  histogram,
  keep,
  onEdge,
  side,
  label,
  ends,
}: {
  histogram: HistogramData;
  keep: readonly [number, number];
  onEdge?: (edge: number) => void;
  side: "low" | "high";
  label: string;
  ends: readonly [string, string];
}) {
  const { edges, counts } = histogram;
  const most = Math.max(...counts, 1);
  const bar = 100 / Math.max(counts.length, 1);
  return (
    <svg width="100%" height="44" role="img" aria-label={label}>
      {counts.map((count, i) => {
        const low = edges[i]!;
        const high = edges[i + 1]!;
        const middle = (low + high) / 2;
        const inside = middle >= keep[0] && middle <= keep[1];
        const tall = count === 0 ? 0 : Math.max(1, (count / most) * 30);
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: the field above takes "r > 0.5" as well
          <g key={low} onClick={onEdge && (() => onEdge(side === "low" ? low : high))}>
            <rect className="hit" x={`${i * bar}%`} width={`${bar}%`} height="30" />
            <rect
              className={inside ? "bx in" : "bx out"}
              x={`${i * bar}%`}
              width={`${bar * 0.82}%`}
              y={30 - tall}
              height={tall}
            />
          </g>
        );
      })}
      <line className="ax" x1="0" x2="100%" y1="30.5" y2="30.5" />
      <text x="0" y="42">
        {ends[0]}
      </text>
      <text x="100%" y="42" textAnchor="end">
        {ends[1]}
      </text>
    </svg>
  );
}

/** Counts by activation in the wash of strength, log: a row's small picture. */
export function MiniHistogram({ counts }: { counts: readonly number[] }) {
  const logs = counts.map((c) => Math.log10(1 + Math.max(0, c)));
  const most = Math.max(...logs, 1);
  const bar = 74 / Math.max(counts.length, 1);
  return (
    <svg width="74" height="16" aria-hidden="true">
      {logs.map((v, i) => {
        const tall = (v / most) * 15;
        return v === 0 ? null : (
          <rect
            // Bins are places on the axis.
            key={`${i}`}
            className={`h${Math.min(16, Math.max(4, Math.ceil(((i + 1) / counts.length) * 16)))}`}
            x={i * bar}
            y={15.5 - tall}
            width={bar * 0.78}
            height={tall}
          />
        );
      })}
      <path className="gr" d="M0 15.5H74" />
    </svg>
  );
}

/** Share inside the best context from the weakest interval to the strongest. */
export function WeakToStrong({ shares }: { shares: readonly (number | null)[] }) {
  const step = 62 / Math.max(shares.length - 1, 1);
  const y = (v: number) => 14.5 - 13 * v;
  const parts: string[] = [];
  let pen = "M";
  shares.forEach((v, i) => {
    if (v === null) {
      pen = "M";
      return;
    }
    parts.push(`${pen}${(i * step).toFixed(1)} ${y(v).toFixed(1)}`);
    pen = "L";
  });
  const end = shares.findLastIndex((v) => v !== null);
  if (end < 0) return null;
  const text = shares.map((v) => (v === null ? "none" : v.toFixed(2))).join(", ");
  return (
    <svg
      width="66"
      height="16"
      role="img"
      aria-label={`share in its best context, weak to strong: ${text}`}
    >
      <path className="gr" d="M0 15.5H62M0 .5H62" />
      <path className="dt" d={parts.join("")} />
      <circle cx={end * step} cy={y(shares[end]!)} r={2} className="bi" />
    </svg>
  );
}
