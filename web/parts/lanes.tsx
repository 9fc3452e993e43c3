// Where in a wrapped text does each pinned feature fire? Bars under the lines, placed from the layout.
import { type RefObject, useEffect, useState } from "react";

interface Bar {
  x: number;
  y: number;
  width: number;
  height: number;
}

const lane = 8;

export function Lanes({
  stage,
  lanes,
  stamp,
}: {
  /** The element that holds the tokens, each with `data-i`. */
  stage: RefObject<HTMLElement | null>;
  /** One a pinned feature: its share of the peak at each token. */
  lanes: readonly Float32Array[];
  stamp: string;
}) {
  const [bars, setBars] = useState<Bar[]>([]);
  const [rules, setRules] = useState<Bar[]>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stamp says that the text changed
  useEffect(() => {
    const element = stage.current;
    if (element === null || lanes.length === 0) {
      setBars([]);
      setRules([]);
      return;
    }
    const place = () => {
      const frame = element.getBoundingClientRect();
      const next: Bar[] = [];
      const lines = new Map<number, Bar>();
      for (const token of element.querySelectorAll<HTMLElement>("[data-i]")) {
        const i = Number(token.dataset.i);
        for (const rect of token.getClientRects()) {
          const base = Math.round(rect.bottom - frame.top) + 3;
          const x = rect.left - frame.left;
          const line = lines.get(base);
          if (line) {
            line.width = Math.max(line.x + line.width, x + rect.width) - Math.min(line.x, x);
            line.x = Math.min(line.x, x);
          } else lines.set(base, { x, y: base, width: rect.width, height: 0 });
          lanes.forEach((shares, k) => {
            const share = shares[i] ?? 0;
            if (share <= 0) return;
            const height = Math.max(1, share * lane);
            next.push({
              x,
              y: base + (k + 1) * (lane + 2) - height,
              width: Math.max(rect.width - 1, 1),
              height,
            });
          });
        }
      }
      setBars(next);
      setRules(
        [...lines.values()].flatMap((line) =>
          lanes.map((_, k) => ({ ...line, y: line.y + (k + 1) * (lane + 2) })),
        ),
      );
    };
    place();
    const observer = new ResizeObserver(place);
    observer.observe(element);
    return () => observer.disconnect();
  }, [stage, lanes, stamp]);
  return (
    <svg className="lane" aria-hidden="true">
      {rules.map((r) => (
        <path key={`${r.x}:${r.y}`} d={`M${r.x} ${Math.round(r.y) + 0.5}h${r.width}`} />
      ))}
      {bars.map((b, i) => (
        // Bars have no identity but their order.
        <rect key={`${i}`} {...b} />
      ))}
    </svg>
  );
}
