// Which keys does this page answer to?
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface KeySpec {
  /** As they are drawn in the foot: `["j", "k"]`. */
  show: readonly string[];
  does: string;
  /** `KeyboardEvent.key` → what happens. */
  on: Readonly<Record<string, (event: KeyboardEvent) => void>>;
  /** In the help only. */
  quiet?: boolean;
}

const lettersKey = "micrographia.letters";
const listeners = new Set<() => void>();
let letters = localStorage.getItem(lettersKey) !== "off";
let leader: { key: string; at: number } | null = null;

/** Single letters can be turned off. */
export function setLetters(on: boolean): void {
  letters = on;
  localStorage.setItem(lettersKey, on ? "on" : "off");
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export function useLetters(): boolean {
  return useSyncExternalStore(subscribe, () => letters);
}

function inField(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  if (!element?.closest) return false;
  return element.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

/** Two keys in a row, `g` then `l`, are written "g l". */
function chordOf(event: KeyboardEvent): string {
  const now = performance.now();
  const before = leader !== null && now - leader.at < 1_500 ? leader.key : null;
  leader = event.key === "g" && before === null ? { key: "g", at: now } : null;
  return before === null ? event.key : `${before} ${event.key}`;
}

const native = new Set(["Enter", " "]);

function answer(event: KeyboardEvent, keys: readonly KeySpec[]): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (inField(event.target)) return;
  const target = event.target as HTMLElement | null;
  // Enter on a focused link or button belongs to that link or button.
  if (native.has(event.key) && target?.closest?.("a, button, summary, [role=button]")) return;
  const chord = chordOf(event);
  if (!letters && /^[a-z?/]( [a-z])?$/i.test(chord) && chord !== "?") return;
  for (const key of keys) {
    const act = key.on[chord];
    if (act === undefined) continue;
    event.preventDefault();
    act(event);
    return;
  }
}

export function useKeys(keys: readonly KeySpec[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => answer(event, latest.current);
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}
