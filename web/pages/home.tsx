// Where does one land: the current run, the newest dictionary, or a sentence on what to start?
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, useLocation } from "@tanstack/react-router";
import { usePageTitle } from "../app/hooks.ts";
import { home } from "../app/queries.ts";
import { Shell } from "../parts/shell.tsx";
import { Empty, Loading, Refused } from "../parts/states.tsx";

export function Home() {
  usePageTitle("micrographia");
  const { data, error, refetch } = useQuery(home);
  if (data) {
    const live = data.runs.find((r) => r.status === "running" || r.status === "waiting");
    const newest = data.dictionaries[0];
    if (live) return <Navigate to="/runs/$run" params={{ run: live.id }} replace />;
    if (newest) return <Navigate to="/d/$dictionary" params={{ dictionary: newest.id }} replace />;
    if (data.runs[0]) return <Navigate to="/runs/$run" params={{ run: data.runs[0].id }} replace />;
  }
  return (
    <Shell at="model" place={{ model: data?.models[0] }} twin="/api">
      <section className="head">
        <h1 className="title">Nothing has been looked into yet</h1>
      </section>
      {error ? (
        <Refused error={error} retry={() => void refetch()} />
      ) : data ? (
        <Empty>
          This folder holds no run and no dictionary. <code className="cmd">micrographia demo</code>{" "}
          starts one; it appears here as it goes.
        </Empty>
      ) : (
        <Loading of="Asking the server what there is" />
      )}
    </Shell>
  );
}

export function Nowhere() {
  usePageTitle("No such page");
  const { pathname } = useLocation();
  return (
    <Shell at="model" place={{}} twin="/api">
      <section className="head">
        <h1 className="title">No such page</h1>
      </section>
      <Empty
        action={
          <Link className="btn" to="/">
            Start
          </Link>
        }
      >
        There is nothing at <span className="spec">{pathname}</span>. The nearest thing that exists
        is the start: the current run, or the newest dictionary.
      </Empty>
    </Shell>
  );
}
