// Where things lie in a project folder: every key that the workspace reads or writes.
import { check } from "../base/errors.ts";

export const layout = {
  lock: ".lock",
  cache: "cache",
  model: (name: string): string => `models/${safeId(name)}`,
  dictionary: (id: string): string => `dictionaries/${safeId(id)}`,
  bundle: (id: string): string => `bundles/${safeId(id)}`,
  revision: (id: string, revision: number): string => `bundles/${safeId(id)}/r${revision}`,
  current: (id: string): string => `bundles/${safeId(id)}/current.json`,
  run: (id: string): string => `runs/${safeId(id)}`,
  events: (id: string): string => `runs/${safeId(id)}/events.jsonl`,
  state: (id: string): string => `runs/${safeId(id)}/state.json`,
  runLock: (id: string): string => `runs/${safeId(id)}/.lock`,
} as const;

/** Refuses what could leave the folder or be read as something else. */
export function safeId(id: string): string {
  check(isId(id), "workspace/id", "this is not an id", {
    got: id.slice(0, 100),
    wanted: "letters, digits, -, _ and single dots, e.g. field-1l-sae-2048-k32-s0",
  });
  return id;
}

export function isId(id: string): boolean {
  return id.length <= 200 && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(id);
}

/** `field-1l-sae-2048-k32-s0`. */
export function dictionaryId(from: {
  model: string;
  d_sae: number;
  k: number;
  seed: number;
}): string {
  return safeId(`${from.model}-sae-${from.d_sae}-k${from.k}-s${from.seed}`);
}
