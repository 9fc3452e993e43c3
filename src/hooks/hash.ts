// Are two lists of interventions the same? One hash over what they do, however they were written down.
import { createHash } from "node:crypto";
import { fail } from "../base/errors.ts";
import { checked, type Intervention, mapSources } from "./interventions.ts";
import { identityOf } from "./sources.ts";

/**
 * SHA-256 of the records in order. Tensors count by their numbers where these are known (in the
 * record, opened from a file, or pinned with `hash`), and by the name of file or feed where not.
 * Errors: `intervention/serial` for an edit, which is code.
 */
export function interventionHash(list: readonly Intervention[]): string {
  const records = list.map((given, i) => {
    const by = checked(given, `[${i}]`);
    if (by.kind === "edit")
      return fail("intervention/serial", "an edit is code and has no hash", { where: `[${i}]` });
    const named = mapSources(by, identityOf);
    const { sites, ...rest } = { sites: undefined, ...named.where };
    const where = Object.entries({ ...rest, sites: sites && [sites].flat() });
    return { ...named, where: Object.fromEntries(where.filter(([, part]) => part !== "all")) };
  });
  return createHash("sha256").update(canonical(records)).digest("hex");
}

/** JSON with its keys in order and nothing that is undefined. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
