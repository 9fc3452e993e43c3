// Ctrl K: find anything by its text, its context, its number, or the command for it.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { useEffect, useRef, useState } from "react";
import { useDelayed } from "../app/hooks.ts";
import { dictionary as dictionaryQuery, features, home } from "../app/queries.ts";
import { toggleTheme } from "../app/theme.ts";
import { fixed, indexWord, nameWords, unitWords, words } from "../words.ts";

export function Palette({
  dictionary,
  run,
  close,
}: {
  dictionary?: string;
  run?: string;
  close: () => void;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const asked = useDelayed(text.trim(), 150);
  useEffect(() => {
    ref.current?.showModal();
    // The dialog would give focus to the list's own frame.
    ref.current?.querySelector("input")?.focus();
  }, []);

  const homeData = useQuery(home);
  const summary = useQuery({ ...dictionaryQuery(dictionary ?? ""), enabled: !!dictionary });
  const found = useQuery({
    ...features(
      dictionary ?? "",
      summary.data?.revision ?? 0,
      new URLSearchParams({
        q: asked,
        limit: "12",
        offset: "0",
        sort: "r",
        order: "desc",
      }).toString(),
    ),
    enabled: !!dictionary && asked !== "",
  });
  const unit = unitWords[summary.data?.unit ?? "feature"];
  const lower = text.trim().toLowerCase();
  const has = (label: string) => lower === "" || label.toLowerCase().includes(lower);
  const go = (to: string) => () => {
    close();
    void navigate({ to: to as never });
  };
  const contexts = (summary.data?.contexts ?? []).filter((c) => lower !== "" && has(words(c)));
  const number = /^\d+$/.test(lower) && summary.data && Number(lower) < summary.data.d_sae;
  const commands: [string, string, () => void][] = [];
  if (run) commands.push(["Run", "g r", go(`/runs/${run}`)]);
  if (dictionary) {
    commands.push([`List of ${unit.many}`, "g l", go(`/d/${dictionary}`)]);
    commands.push(["Prompt: try a text", "g p", go(`/prompt/${dictionary}`)]);
  }
  commands.push(["Change theme", "t", toggleTheme]);

  // The first is chosen until the reader moves, whatever arrives later.
  const [chosen, setChosen] = useState("");
  const offered = [
    ...(number ? [`f${lower}`] : []),
    ...(asked === "" ? [] : (found.data?.rows ?? []).map((row) => `row${row.index}`)),
    ...contexts.slice(0, 8).map((context) => `context ${context}`),
    ...commands.filter(([label]) => has(label)).map(([label]) => label),
  ];
  return (
    <dialog ref={ref} className="palette" aria-label="Find" onClose={close}>
      <Command
        shouldFilter={false}
        label="Find"
        value={offered.includes(chosen) ? chosen : (offered[0] ?? "")}
        onValueChange={setChosen}
      >
        <Command.Input
          value={text}
          onValueChange={setText}
          placeholder={`A token, a context, a ${unit.one}’s number, a command`}
        />
        <Command.List>
          <Command.Empty>Nothing by that name.</Command.Empty>
          {number && (
            <Command.Item value={`f${lower}`} onSelect={go(`/d/${dictionary}/${Number(lower)}`)}>
              {unit.One} <span className="spec">{Number(lower)}</span>
            </Command.Item>
          )}
          {asked !== "" && (found.data?.rows.length ?? 0) > 0 && (
            <Command.Group heading={`${unit.Many}, ${found.data!.matching} match`}>
              {found.data!.rows.map((row) => (
                <Command.Item
                  key={row.index}
                  value={`row${row.index}`}
                  onSelect={go(`/d/${dictionary}/${row.index}`)}
                >
                  <span className="spec q2">{indexWord(row.index, summary.data?.d_sae)}</span>
                  <span className="claim">{row.name ? nameWords(row.name) : "unnamed"}</span>
                  <span className="r">
                    {row.reading ? `r ${fixed(row.reading.estimate.value)}` : ""}
                  </span>
                </Command.Item>
              ))}
            </Command.Group>
          )}
          {contexts.length > 0 && (
            <Command.Group heading="Contexts">
              {contexts.slice(0, 8).map((context) => (
                <Command.Item
                  key={context}
                  value={`context ${context}`}
                  onSelect={go(`/d/${dictionary}?context=${context}`)}
                >
                  {words(context)}
                </Command.Item>
              ))}
            </Command.Group>
          )}
          <Command.Group heading="Go">
            {commands
              .filter(([label]) => has(label))
              .map(([label, key, act]) => (
                <Command.Item key={label} value={label} onSelect={act}>
                  {label}
                  <span className="r">{key}</span>
                </Command.Item>
              ))}
            {(homeData.data?.dictionaries ?? [])
              .filter((d) => d.id !== dictionary && has(d.id))
              .map((d) => (
                <Command.Item key={d.id} value={d.id} onSelect={go(`/d/${d.id}`)}>
                  <span className="spec">{d.id}</span>
                  <span className="r">dictionary</span>
                </Command.Item>
              ))}
          </Command.Group>
        </Command.List>
      </Command>
    </dialog>
  );
}
