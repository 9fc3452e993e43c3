// What does a dictionary see in a text of the reader's own?
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useRef, useState } from "react";
import { usePageTitle } from "../app/hooks.ts";
import type { KeySpec } from "../app/keys.ts";
import { fromAddress, toAddress, topFor } from "../app/long-text.ts";
import { dictionary as dictionaryQuery, prompt as promptQuery } from "../app/queries.ts";
import { Plate } from "../parts/plate.tsx";
import { Ramp } from "../parts/ramp.tsx";
import { Shell } from "../parts/shell.tsx";
import { Empty, Loading, Refused } from "../parts/states.tsx";
import { Views } from "../parts/views.tsx";
import { fixed, int, nameWords, short, tokenWord } from "../words.ts";
import { Stage, type Token } from "./prompt/stage.tsx";
import { probabilityWord, shareWord, TokenTable } from "./prompt/table.tsx";

const sample =
  "The tenant left the key “U2VjcmV0” under § 14.2 of the lease; her note said שלום, on 鹽🧂.";
const maxPins = 4;

interface Known {
  index: number;
  name: string | null;
  peak: number;
}

/** What the reply knows of a feature, from any token where it fires. */
function known(tokens: readonly Token[], index: number): Known {
  for (const token of tokens) {
    const f = token.features.find((g) => g.index === index);
    if (f) return { index, name: f.name, peak: f.share > 0 ? f.value / f.share : 0 };
  }
  return { index, name: null, peak: 0 };
}

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
      does: "feature",
      on: { ArrowUp: feature(-1), ArrowDown: feature(1), k: feature(-1), j: feature(1) },
    },
    { show: ["↵"], does: "open feature", on: { Enter: open } },
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
          Any text can be read here, in any script: each token shows its strongest features, and
          each feature where it fires. Nothing leaves this machine.
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

function Legend({
  dictionary,
  wash,
  locked,
  pins,
  n,
  hex,
}: {
  dictionary: string;
  wash: Known | null;
  locked: boolean;
  pins: readonly Known[];
  n: number | undefined;
  hex: boolean;
}) {
  const named = (f: Known) => (
    <Link to="/d/$dictionary/$index" params={{ dictionary, index: String(f.index) }}>
      <b>{f.index}</b> <span className="claim">{f.name ? nameWords(f.name) : ""}</span>
    </Link>
  );
  return (
    <div className="lanes">
      {wash && (
        <span>
          wash {named(wash)}
          {locked ? ", held" : ""}
        </span>
      )}
      {wash && wash.peak > 0 && (
        <span>
          <Ramp /> 0 to {fixed(wash.peak, 1)}, its peak{n ? ` over ${short(n)} tokens` : ""}
        </span>
      )}
      {pins.map((p, i) => (
        <span key={p.index}>
          lane {i + 1} {named(p)}
        </span>
      ))}
      {hex && <span>a dotted rule joins tokens that are parts of one character</span>}
    </div>
  );
}

function AllAt({
  token,
  at,
  wash,
  pins,
  dictionary,
  onWash,
  onPin,
}: {
  token: Token;
  at: number;
  wash: number | null;
  pins: readonly number[];
  dictionary: string;
  onWash: (index: number) => void;
  onPin: (index: number) => void;
}) {
  return (
    <Plate
      name={
        <>
          {token.features.length < token.L0
            ? `Strongest ${token.features.length} of ${token.L0}`
            : `All ${token.features.length}`}{" "}
          at {at} <span className="spec q2">{tokenWord(token.piece)}</span>
        </>
      }
      drawn="activation as a share of the feature’s own peak"
    >
      <table className="all">
        <colgroup>
          <col style={{ width: "58px" }} />
          <col />
          <col style={{ width: "76px" }} />
          <col style={{ width: "40px" }} />
          <col style={{ width: "92px" }} />
        </colgroup>
        <tbody>
          {token.features.map((f) => (
            <tr key={f.index} className={f.index === wash ? "at" : undefined}>
              <td className="spec q2">
                <Link to="/d/$dictionary/$index" params={{ dictionary, index: String(f.index) }}>
                  {f.index}
                </Link>
              </td>
              <td className="nm">
                <Link
                  to="/d/$dictionary/$index"
                  params={{ dictionary, index: String(f.index) }}
                  tabIndex={-1}
                >
                  {f.name ? nameWords(f.name) : <span className="q">nothing can be said</span>}
                </Link>
              </td>
              <td>
                <svg className="barh" aria-hidden="true">
                  <line className="gr" x1="0" x2="100%" y1="8.5" y2="8.5" />
                  <rect
                    className={`h${Math.max(1, Math.min(16, Math.ceil(16 * f.share)))}`}
                    width={`${100 * Math.min(1, f.share)}%`}
                  />
                </svg>
              </td>
              <td className="num">{shareWord(f.share)}</td>
              <td className="num">
                <button
                  type="button"
                  className="plain mini"
                  aria-pressed={f.index === wash}
                  onClick={() => onWash(f.index)}
                >
                  Wash
                </button>
                <button
                  type="button"
                  className="plain mini"
                  aria-pressed={pins.includes(f.index)}
                  onClick={() => onPin(f.index)}
                >
                  Pin
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}

function Expected({ token, next, at }: { token: Token; next: Token | undefined; at: number }) {
  const came = next?.loss === null || next === undefined ? null : Math.exp(-next.loss);
  return (
    <Plate
      name={
        <>
          Next token after {at} <span className="spec q2">{tokenWord(token.piece)}</span>
        </>
      }
      drawn="probability"
      caption={
        next && came !== null
          ? `“${tokenWord(next.piece)}” came, with p ${probabilityWord(came)}.`
          : undefined
      }
    >
      <table className="rd flush">
        <tbody>
          {token.expected.map((e, i) => (
            // Two pieces may look alike.
            <tr key={`${i}`}>
              <td className="spec">{tokenWord(e.piece)}</td>
              <td className="trk">
                <svg className="barh" aria-hidden="true">
                  <line className="gr" x1="0" x2="100%" y1="8.5" y2="8.5" />
                  <rect className="bi" width={`${100 * e.p}%`} />
                </svg>
              </td>
              <td className="v">{probabilityWord(e.p)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}
