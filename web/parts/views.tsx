// Which views of the same dictionary are there? Words at the right of the title.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { home } from "../app/queries.ts";

export function Views({
  now,
  dictionary,
  run,
  children,
}: {
  now: "list" | "run" | "prompt";
  dictionary: string | null;
  run?: string;
  children?: ReactNode;
}) {
  const { data } = useQuery({ ...home, staleTime: 60_000 });
  const runId = run ?? data?.runs.find((r) => r.dictionary === dictionary)?.id;
  const mark = (view: string) => (view === now ? ("page" as const) : undefined);
  return (
    <nav className="views" aria-label="Views">
      {dictionary !== null && (
        <Link to="/d/$dictionary" params={{ dictionary }} aria-current={mark("list")}>
          List
        </Link>
      )}
      {runId !== undefined && (
        <Link to="/runs/$run" params={{ run: runId }} aria-current={mark("run")}>
          Run
        </Link>
      )}
      {dictionary !== null && (
        <Link to="/prompt/$dictionary" params={{ dictionary }} aria-current={mark("prompt")}>
          Prompt
        </Link>
      )}
      {children}
    </nav>
  );
}
