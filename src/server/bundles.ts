// The bundles that are open for reading: rows in memory, pages as they lie, one revision at a time.
import type { DictionarySummary, FeatureRow } from "../analysis/page.ts";
import { fail, isError } from "../base/errors.ts";
import type { Store } from "../storage/store.ts";
import { isId, layout } from "../workspace/layout.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { type FeatureIndex, indexFeatures } from "./features.ts";

/** What a bundle gives: `openBundle` of analysis, or a small world in tests. */
export interface Bundle {
  readonly summary: DictionarySummary;
  /** What it was made from, by name. */
  readonly manifest?: { readonly inputs: Readonly<Record<string, string>> };
  rows(): readonly FeatureRow[] | Promise<readonly FeatureRow[]>;
  /** A FeaturePage as gzip bytes. */
  page(index: number): Uint8Array | Promise<Uint8Array>;
}

export type OpenBundle = (
  store: Store,
  prefix: string,
  options: { revision: number },
) => Promise<Bundle>;

export interface OpenedBundle {
  readonly revision: number;
  readonly bundle: Bundle;
  readonly features: FeatureIndex;
}

export interface Shelf {
  /** The current revision. Refuses with `dictionary/unknown`. */
  get(dictionary: string): Promise<OpenedBundle>;
  /** Of every dictionary that can be read. */
  summaries(): Promise<DictionarySummary[]>;
}

/** Rows of so many dictionaries stay in memory. */
const maxOpen = 4;
/** A revision is looked up at most so often: fifty requests at once ask once. */
const freshMs = 200;

export function bundleShelf(
  workspace: Workspace,
  open: OpenBundle,
  { now = Date.now }: { now?: () => number } = {},
): Shelf {
  const opened = new Map<string, { revision: number; bundle: Promise<OpenedBundle> }>();
  const looked = new Map<string, { at: number; revision: Promise<number | null> }>();

  const revisionOf = (id: string): Promise<number | null> => {
    const last = looked.get(id);
    if (last !== undefined && now() - last.at < freshMs) return last.revision;
    const revision = workspace.revision(id);
    looked.set(id, { at: now(), revision });
    return revision;
  };

  const openRevision = async (id: string, revision: number): Promise<OpenedBundle> => {
    const bundle = await open(workspace.store, layout.bundle(id), { revision });
    return { revision, bundle, features: indexFeatures(await bundle.rows()) };
  };

  const get = async (id: string): Promise<OpenedBundle> => {
    const revision = isId(id) ? await revisionOf(id) : null;
    if (revision === null)
      return fail("dictionary/unknown", "there is no dictionary with this name", {
        got: id.slice(0, 100),
        wanted: (await workspace.bundles()).join(", ") || "none is described yet",
      });
    const old = opened.get(id);
    // Most recently used last.
    opened.delete(id);
    const entry =
      old?.revision === revision ? old : { revision, bundle: openRevision(id, revision) };
    opened.set(id, entry);
    entry.bundle.catch(() => {
      if (opened.get(id) === entry) opened.delete(id);
    });
    for (const [first] of opened) {
      if (opened.size <= maxOpen) break;
      opened.delete(first);
    }
    return entry.bundle;
  };

  return {
    get,
    async summaries() {
      const ids = await workspace.bundles();
      const found: DictionarySummary[] = [];
      for (const id of ids) {
        try {
          found.push((await get(id)).bundle.summary);
        } catch (error) {
          // A damaged bundle says what is wrong when it is opened; the others must still be listed.
          if (!isError(error)) throw error;
        }
      }
      return found;
    },
  };
}
