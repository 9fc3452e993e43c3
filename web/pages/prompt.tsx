// What does a dictionary see in a text of the reader's own?
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useRef, useState } from "react";
import { usePageTitle } from "../app/hooks.ts";
import type { KeySpec } from "../app/keys.ts";
import { fromAddress, toAddress, topFor } from "../app/long-text.ts";
import { dictionary as dictionaryQuery, prompt as promptQuery } from "../app/queries.ts";
import { Shell } from "../parts/shell.tsx";
import { Empty, Loading, Refused } from "../parts/states.tsx";
import { Views } from "../parts/views.tsx";
import { fixed, int, unitWords } from "../words.ts";
import { AllAt, Expected, known, Legend } from "./prompt/plates.tsx";
import { Stage } from "./prompt/stage.tsx";
import { TokenTable } from "./prompt/table.tsx";

const sample =
  "The tenant left the key “U2VjcmV0” under § 14.2 of the lease; her note said שלום, on 鹽🧂.";
const maxPins = 4;

export function PromptPage() {
  const { dictionary: id } = useParams({ from: "/prompt/$dictionary" });
  const search = useSearch({ from: "/prompt/$dictionary" });
  const navigate = useNavigate();
  const { data: summary } = useQuery(dictionaryQuery(id));
  const kept = fromAddress(search);
  const text = kept ?? "";
  const { data, error, isFetching, isPlaceholderData, refetch } = useQuery(
    promptQuery(id, text, topFor(text)),
  );
  const field = useRef<HTMLTextAreaElement>(null);
  usePageTitle("Prompt");
  const unit = unitWords[summary?.unit ?? "feature"];

  const tokens = text === "" ? [] : (data?.tokens ?? []);
  const at = Math.min(Math.max(0, Number(search.token ?? 0) || 0), Math.max(0, tokens.length - 1));
  const here = tokens[at];
  const locked = search.wash !== undefined;
  const wash = locked ? Number(search.wash) : (here?.features[0]?.index ?? null);
  const pins = (search.pin?.split(",") ?? []).map(Number).filter(Number.isInteger);
  const patch = useCallback(
    (next: Partial<typeof search>, replace = true) =>
      void navigate({
        to: ".",
        search: ((old: typeof search) => ({ ...old, ...next })) as never,
        replace,
        resetScroll: false,
      }),
    [navigate],
  );
  const pick = useCallback((i: number) => patch({ token: String(i) }), [patch]);
  const pin = (index: number | null) => {
    if (index === null) return;
    const next = pins.includes(index)
      ? pins.filter((p) => p !== index)
      : [...pins, index].slice(-maxPins);
    patch({ pin: next.length > 0 ? next.join(",") : undefined });
  };
  const step = (by: number) => () => {
    if (tokens.length > 0) pick(Math.min(tokens.length - 1, Math.max(0, at + by)));
  };
  const feature = (by: number) => () => {
    const list = here?.features ?? [];
    if (list.length === 0) return;
    const now = list.findIndex((f) => f.index === wash);
    const next = list[Math.min(list.length - 1, Math.max(0, now + by))];
    if (next) patch({ wash: String(next.index) });
  };
  const open = () => {
    if (wash !== null)
      void navigate({
        to: "/d/$dictionary/$index",
        params: { dictionary: id, index: String(wash) },
      });
  };
  const keys: KeySpec[] = [
    {
      show: ["←", "→"],
      does: "token",
      on: { ArrowLeft: step(-1), ArrowRight: step(1), h: step(-1), l: step(1) },
    },
    {
      show: ["↑", "↓"],
      does: unit.one,
      on: { ArrowUp: feature(-1), ArrowDown: feature(1), k: feature(-1), j: feature(1) },
    },
    { show: ["↵"], does: `open ${unit.one}`, on: { Enter: open } },
    { show: ["x"], does: "pin to a lane", on: { x: () => pin(wash) } },
    {
      show: ["w"],
      does: "hold the wash",
      on: { w: () => patch({ wash: locked || wash === null ? undefined : String(wash) }) },
    },
    { show: ["/"], does: "edit", on: { "/": () => field.current?.focus() } },
    {
      show: ["Esc"],
      does: "back out",
      quiet: true,
      on: {
        Escape: () =>
          search.wash || search.pin
            ? patch({ wash: undefined, pin: undefined })
            : void navigate({ to: "/d/$dictionary", params: { dictionary: id } }),
      },
    },
  ];
  const washed = wash === null ? null : known(tokens, wash);

  return (
    <Shell
      at="example"
      place={{ dictionary: id, summary }}
      stops={{
        example: { object: "your text", to: `/prompt/${id}` },
        token: { object: tokens.length > 0 ? `${at} of ${int(tokens.length)}` : "–" },
      }}
      keys={keys}
      twin={`/api/dictionaries/${id}/prompt`}
    >
      <section className="head tool">
        <h1 className="title">Prompt</h1>
        {data && text !== "" && (
          <p className="stat">
            <span>{int(data.tokens.length)} tokens</span>
            <span>L0 {fixed(data.L0, 1)}</span>
            {data.loss !== null && (
              <span>
                loss {fixed(data.loss)} nats a token
                {data.held_out_loss !== null &&
                  `, against ${fixed(data.held_out_loss)} on held-out text`}
              </span>
            )}
            {data.windows > 1 && <span>read in {int(data.windows)} windows</span>}
          </p>
        )}
        <Views now="prompt" dictionary={id} />
      </section>
      <Ask
        key={text}
        text={text}
        field={field}
        busy={isFetching}
        onText={(next) => patch({ ...toAddress(next), token: undefined }, false)}
      />
      {kept === null ? (
        <Empty name="Not in this tab">
          The text of this address was too long for an address and was kept in the tab where it was
          read. Paste it again.
        </Empty>
      ) : error && text !== "" ? (
        <Refused error={error} retry={() => void refetch()} />
      ) : text === "" ? (
        <Empty
          name="No text yet"
          action={
            <button type="button" className="btn" onClick={() => patch({ text: sample }, false)}>
              Example
            </button>
          }
        >
          Any text can be read here, in any script: each token shows its strongest {unit.many}, and
          each {unit.one} where it fires. Nothing leaves this machine.
        </Empty>
      ) : !data ? (
        <Loading of={`Reading ${int(text.length)} characters`} />
      ) : tokens.length === 0 ? (
        <Empty>The text has no tokens.</Empty>
      ) : (
        <>
          <section
            className={isPlaceholderData ? "stage stale" : "stage"}
            aria-label="The prompt as tokens"
          >
            <Stage tokens={tokens} text={text} wash={wash} pins={pins} at={at} onPick={pick} />
            <Legend
              dictionary={id}
              wash={washed}
              locked={locked}
              pins={pins.map((p) => known(tokens, p))}
              n={summary?.n_tokens}
              hex={tokens.some((t) => t.piece.hex !== undefined)}
            />
          </section>
          <section className="pbody">
            <TokenTable tokens={tokens} at={at} dictionary={id} onPick={pick} />
            <div className="right">
              {here && (
                <>
                  <AllAt
                    token={here}
                    at={at}
                    wash={wash}
                    pins={pins}
                    dictionary={id}
                    onWash={(i) => patch({ wash: String(i) })}
                    onPin={pin}
                  />
                  <Expected token={here} next={tokens[at + 1]} at={at} />
                </>
              )}
            </div>
          </section>
        </>
      )}
    </Shell>
  );
}

function Ask({
  text,
  field,
  busy,
  onText,
}: {
  text: string;
  field: React.RefObject<HTMLTextAreaElement | null>;
  busy: boolean;
  onText: (text: string) => void;
}) {
  const [draft, setDraft] = useState(text);
  return (
    <form
      className="ask"
      onSubmit={(event) => {
        event.preventDefault();
        onText(draft);
        field.current?.blur();
      }}
    >
      <label className="field">
        <span className="sr">Text to read</span>
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          value={draft}
          placeholder="Type or paste any text, then Enter"
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") field.current?.blur();
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              onText(draft);
              field.current?.blur();
            }
          }}
        />
      </label>
      <button type="submit" className="btn solid" aria-busy={busy}>
        Read
      </button>
    </form>
  );
}
