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

/** What ids do not name: the site of most dictionaries. */
export const usualSite = "blocks.0.mlp.hook_post";

/** `field-1l-sae-2048-k32-s0`, and with `-blocks.1.hook_resid_post` where that is the site. */
export function dictionaryId(from: {
  model: string;
  site?: string;
  d_sae: number;
  k: number;
  seed: number;
}): string {
  const { model, site = usualSite, d_sae, k, seed } = from;
  const at = site === usualSite ? "" : `-${idPart(site)}`;
  return safeId(`${idPart(model)}-sae-${d_sae}-k${k}-s${seed}${at}`);
}

/** `field-1l-neurons-blocks.0.mlp.hook_post`. */
export function neuronsId({ model, site }: { model: string; site: string }): string {
  return safeId(`${idPart(model)}-neurons-${idPart(site)}`);
}

/** A name as a part of an id: `org/name` → `org-name`. */
export function idPart(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/\.{2,}/g, ".");
}
