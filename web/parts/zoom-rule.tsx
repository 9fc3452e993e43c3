// Where are we between the whole model and one weight? The breadcrumb on a micrometer.
import { Link } from "@tanstack/react-router";

export const levels = [
  "model",
  "layer",
  "dictionary",
  "family",
  "feature",
  "example",
  "token",
  "weight",
] as const;
export type Level = (typeof levels)[number];

export interface Stop {
  /** Instead of the level's own name. */
  name?: string;
  /** The object we are in, or how many there are further in. */
  object: string;
  to?: string;
}

export function ZoomRule({ at, stops }: { at: Level; stops: Partial<Record<Level, Stop>> }) {
  const here = levels.indexOf(at);
  return (
    <nav className="zoom" aria-label="Zoom">
      <ol>
        {levels.map((level, i) => {
          const stop = stops[level];
          const names = [
            i < here ? "past" : i === here ? "here" : "",
            Math.abs(i - here) <= 1 ? "near" : "",
          ];
          const body = (
            <>
              <span className="lv">{stop?.name ?? level}</span>
              <span className="rl" />
              <span className="ob">{stop?.object ?? "–"}</span>
            </>
          );
          return (
            <li key={level} className={names.filter(Boolean).join(" ") || undefined}>
              {stop?.to !== undefined ? (
                <Link to={stop.to as never} aria-current={i === here ? "page" : undefined}>
                  {body}
                </Link>
              ) : (
                <span className="stop" aria-current={i === here ? "page" : undefined}>
                  {body}
                </span>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
