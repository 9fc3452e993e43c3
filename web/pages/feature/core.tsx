// What does a feature fire on, from its strongest activations down to its weakest?
import type { FeaturePage, Interval } from "../../../src/api/types.ts";
import { Concordance, type OpenAt } from "../../parts/concordance.tsx";
import { Plate } from "../../parts/plate.tsx";
import { fixed, int, tied, wholePercent, words } from "../../words.ts";

/** The share in the best context, and the control's tick on the same small bar. */
function Share({ interval }: { interval: Interval }) {
  const { share, control } = interval;
  if (share === null) return null;
  const x = (v: number) => `${(100 * v).toFixed(1)}%`;
  return (
    <svg
      className="share"
      role="img"
      aria-label={`${wholePercent(share.value)}${control ? `, control ${wholePercent(control.value)}` : ", control pending"}`}
    >
      <line className="gr" x1="0" x2="100%" y1="3.5" y2="3.5" />
      <rect className="bx" y="2" width={x(share.value)} height="3" />
      {control && (
        <>
          <line className="gap" x1={x(control.value)} x2={x(control.value)} y1="-1" y2="8" />
          <line className="tick" x1={x(control.value)} x2={x(control.value)} y1="-1" y2="8" />
        </>
      )}
    </svg>
  );
}

export function range(low: number, high: number): string {
  const digits = high - low < 0.15 ? 2 : 1;
  return `${fixed(low, digits)} – ${fixed(high, digits)}`;
}

function captionOf(page: FeaturePage): string {
  const context = words(page.best_context ?? "its context");
  const full = page.intervals.filter((i) => i.n > 0 && i.share !== null);
  const weakest = full.at(-1);
  const strongest = full[0];
  if (!weakest || !strongest) return "";
  const top = `${wholePercent(strongest.share!.value)} of its strongest ${int(strongest.n)} tokens lie in ${context}`;
  const low = `${int(weakest.n)} tokens below ${fixed(weakest.high)}, ${wholePercent(weakest.share!.value)} lie in ${context}`;
  const control = weakest.control;
  const chance =
    control && weakest.share!.value <= (control.high ?? control.value)
      ? ", no more than its control"
      : "";
  if (strongest.share!.value < 0.5)
    return `Its best context does not describe it: only ${top}; of ${low}${chance}.`;
  if (weakest.share!.value < 0.5)
    return `The weakest eleventh of its range is no longer one thing: of ${low}${chance}. ${top}.`;
  return `${top}; of ${low}${chance}.`;
}

/** The open example among all intervals. */
export type OpenExample = OpenAt & { interval: number };

export function Core({
  page,
  at,
  open,
  onOpen,
}: {
  page: FeaturePage;
  at: number | null;
  open: OpenExample | null;
  onOpen: (open: OpenExample | null) => void;
}) {
  const none = page.best_context === null;
  return (
    <Plate
      name="Examples, strongest to weakest"
      drawn="11 equal intervals · drawn at random within each"
      caption={tied(captionOf(page))}
    >
      <div className="colh" aria-hidden="true">
        <span>{none ? "interval" : `interval, share in ${words(page.best_context!)}`}</span>
        <span />
        <span>before</span>
        <span>peak and after</span>
        <span />
      </div>
      {page.intervals.map((interval, i) => {
        const level = 16 - Math.round((i * 15) / Math.max(page.intervals.length - 1, 1));
        return (
          <section
            key={interval.low}
            className={i === at ? "core at" : "core"}
            aria-label={`${range(interval.low, interval.high)}, ${int(interval.n)} tokens`}
            data-interval={i}
          >
            <div className="g">
              <span className="rg">
                <span>{range(interval.low, interval.high)}</span>
                <span className="q">{int(interval.n)}</span>
              </span>
              <span className={`sw a${level}`} />
              <span className="s">
                <Share interval={interval} />
                <span>{interval.share ? wholePercent(interval.share.value) : ""}</span>
              </span>
            </div>
            <div className="rows">
              {interval.examples.length > 0 ? (
                <Concordance
                  examples={interval.examples}
                  max={page.peak}
                  entry={i === (at ?? 0)}
                  open={open?.interval === i ? open : null}
                  onOpen={(next) => onOpen(next && { ...next, interval: i })}
                />
              ) : (
                <p className="none">
                  {interval.n === 0 ? "no token in this interval" : "no example kept"}
                </p>
              )}
            </div>
          </section>
        );
      })}
    </Plate>
  );
}
