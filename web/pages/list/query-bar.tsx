// What is the list filtered by: words, comparisons, chips; and what stands there when nothing matches?
import { useState } from "react";
import { Empty } from "../../parts/states.tsx";
import { type Chip, type ListSearch, readQuery, without } from "./params.ts";

export function QueryBar({
  search,
  chips,
  input,
  onSearch,
  onLeave,
  result,
}: {
  search: ListSearch;
  chips: readonly Chip[];
  input: React.RefObject<HTMLInputElement | null>;
  onSearch: (next: ListSearch) => void;
  onLeave: () => void;
  result: React.ReactNode;
}) {
  const [text, setText] = useState(search.q ?? "");
  const take = () => {
    const read = readQuery(text);
    onSearch({ ...search, ...read, q: read.q || undefined });
  };
  return (
    <search>
      <form
        className="q-bar"
        onSubmit={(event) => {
          event.preventDefault();
          take();
          input.current?.blur();
          onLeave();
        }}
      >
        {chips.map((chip) => (
          <button
            key={`${chip.key}${chip.part ?? ""}`}
            type="button"
            className="chip"
            aria-label={`Remove filter ${chip.label} ${chip.sign} ${chip.value}`}
            onClick={() => onSearch(without(search, chip))}
          >
            <b>
              {chip.label} {chip.sign}
            </b>{" "}
            {chip.value}
          </button>
        ))}
        <input
          ref={input}
          value={text}
          aria-label="Filter by token, context or name"
          placeholder={
            chips.length > 0 ? "a token, a context" : "a token, a context, r > 0.5, density < 1 %"
          }
          onChange={(event) => setText(event.target.value)}
          onBlur={() => (search.q ?? "") !== text.trim() && take()}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              setText(search.q ?? "");
              requestAnimationFrame(() => input.current?.blur());
            } else if (event.key === "Backspace" && text === "" && chips.length > 0)
              onSearch(without(search, chips.at(-1)!));
          }}
        />
        <span className="res" role="status">
          {result}
        </span>
      </form>
    </search>
  );
}

export function Nothing({
  chips,
  search,
  onSearch,
}: {
  chips: readonly Chip[];
  search: ListSearch;
  onSearch: (next: ListSearch) => void;
}) {
  const asked = [
    ...chips.map((c) => `${c.label} ${c.sign} ${c.value}`.replace(/\s+/g, " ").trim()),
    ...(search.q ? [search.q] : []),
  ].join(", ");
  const last = chips.at(-1);
  return (
    <Empty
      action={
        <button
          type="button"
          className="btn"
          onClick={() =>
            onSearch(search.q ? { ...search, q: undefined } : last ? without(search, last) : {})
          }
        >
          {search.q ? "Without the word" : "Without the last"}
        </button>
      }
    >
      No feature matches <span className="spec">{asked}</span>. Words are looked for in names,
      contexts, the strongest example and the tokens that it raises.
    </Empty>
  );
}
