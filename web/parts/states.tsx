// What stands on a page that is empty, loading, refused or out of date?
import { type ReactNode, useEffect, useState } from "react";
import { ApiProblem } from "../app/api.ts";
import { sentence } from "../words.ts";

export function Empty({
  name = "Empty",
  children,
  action,
}: {
  name?: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <section className="state" data-state="empty">
      <h2>{name}</h2>
      <p className="claim">{children}</p>
      {action}
    </section>
  );
}

/** Nothing for 300 ms, then a ruled line with what is true of the progress. */
export function Loading({ of, done, total }: { of: string; done?: number; total?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <section className="pt-4" data-state="loading" aria-busy="true">
      {late && (
        <>
          <div className="prog">
            {done !== undefined && total ? (
              <i style={{ width: `${(100 * done) / total}%` }} />
            ) : null}
          </div>
          <p className="small q2">{of}</p>
        </>
      )}
    </section>
  );
}

export function Refused({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof ApiProblem ? error.problem : null;
  const message = error instanceof Error ? error.message : String(error);
  return (
    <section className="state" role="alert" data-state="error">
      <h2 className="alarm">▲ {problem ? "Refused" : "No answer"}</h2>
      <p className="claim">{sentence(problem ? (problem.detail ?? problem.title) : message)}</p>
      {problem && <code>{problem.code}</code>}
      {problem && (problem.wanted !== undefined || problem.got !== undefined) && (
        <dl>
          {problem.wanted !== undefined && (
            <>
              <dt>wanted</dt>
              <dd>{problem.wanted}</dd>
            </>
          )}
          {problem.got !== undefined && (
            <>
              <dt>found</dt>
              <dd>{problem.got}</dd>
            </>
          )}
        </dl>
      )}
      {problem?.hint && <p className="small q2 pt-2">{problem.hint}</p>}
      {retry && (
        <button type="button" className="btn" onClick={retry}>
          Retry
        </button>
      )}
    </section>
  );
}

/** One line above data that are no longer fresh. */
export function Stale({ at, why }: { at: number; why: string }) {
  const time = new Date(at).toLocaleTimeString("en-GB");
  return (
    <p className="small q" role="status" data-state="stale">
      {why} What is shown is from {time}.
    </p>
  );
}
