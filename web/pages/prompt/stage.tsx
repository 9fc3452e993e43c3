// The reader's text as tokens: the wash of one feature, lanes of the pinned, the token that is looked at.
import { memo, useMemo, useRef } from "react";
import type { PromptReply } from "../../../src/api/types.ts";
import { Lanes } from "../../parts/lanes.tsx";
import { Strip } from "../../parts/strip.tsx";

const chunk = 400;

export type Token = PromptReply["tokens"][number];

/** The feature's share of its own peak at each token. */
export function sharesOf(tokens: readonly Token[], feature: number): Float32Array {
  const out = new Float32Array(tokens.length);
  tokens.forEach((token, i) => {
    out[i] = token.features.find((f) => f.index === feature)?.share ?? 0;
  });
  return out;
}

const Chunk = memo(function Chunk({
  tokens,
  shares,
  from,
  selected,
  onPick,
}: {
  tokens: readonly Token[];
  shares: Float32Array;
  from: number;
  selected: number | undefined;
  onPick: (index: number) => void;
}) {
  const to = Math.min(tokens.length, from + chunk);
  const pieces = useMemo(() => tokens.slice(from, to).map((t) => t.piece), [tokens, from, to]);
  return (
    <Strip
      pieces={pieces}
      acts={shares.subarray(from, to)}
      max={1}
      selected={selected}
      first={from}
      onPick={onPick}
      dir={undefined}
      wrap
      spoken={false}
    />
  );
});

export function Stage({
  tokens,
  text,
  wash,
  pins,
  at,
  onPick,
}: {
  tokens: readonly Token[];
  text: string;
  wash: number | null;
  pins: readonly number[];
  at: number;
  onPick: (index: number) => void;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const shares = useMemo(
    () => (wash === null ? new Float32Array(tokens.length) : sharesOf(tokens, wash)),
    [tokens, wash],
  );
  const pinned = pins.join(",");
  const lanes = useMemo(
    () => (pinned === "" ? [] : pinned.split(",").map((p) => sharesOf(tokens, Number(p)))),
    [tokens, pinned],
  );
  const many = tokens.length > chunk;
  return (
    <div className={`big l${lanes.length}`} ref={ref} dir="auto">
      {Array.from({ length: Math.ceil(tokens.length / chunk) }, (_, k) => k * chunk).map((from) => (
        <div key={from} className={many ? "chunk" : undefined}>
          <Chunk
            tokens={tokens}
            shares={shares}
            from={from}
            selected={at >= from && at < from + chunk ? at - from : undefined}
            onPick={onPick}
          />
        </div>
      ))}
      <Lanes stage={ref} lanes={lanes} stamp={`${text.length}:${tokens.length}`} />
    </div>
  );
}
