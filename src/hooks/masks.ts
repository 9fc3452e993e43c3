// Along which of a site's axes are only some numbers changed?
import { check } from "../base/errors.ts";
import type { SiteRow } from "../models/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Slot, slotOf } from "./slots.ts";
import { indices, maskOf, type Where } from "./where.ts";

/** Bool masks, each along its own axis of the site. */
export type Masks = Partial<Readonly<Record<"place" | "heads" | "keys" | "units", Slot>>>;

/** The axis along which each mask lies; −1 where the site has none. */
export const maskAxes: Readonly<Record<keyof Masks, (row: SiteRow) => number>> = {
  place: ({ axes }) => axes.findIndex((axis) => axis === "pos" || axis === "query"),
  heads: ({ axes }) => axes.findIndex((axis) => /^(key_)?head$|^[qk]_norms$/.test(axis)),
  keys: ({ axes }) => axes.indexOf("key"),
  units: ({ axes }) => (["key", "one"].includes(axes.at(-1)!) ? -1 : axes.length - 1),
};

export function masksOf(
  where: Where,
  {
    site,
    row,
    full,
    name,
    place,
  }: {
    site: string;
    row: SiteRow;
    full: readonly number[];
    name: string;
    place: Tensor<"bool"> | undefined;
  },
): Masks {
  const masks: Record<string, Slot> = {};
  const axisOf = (what: "place" | "heads" | "keys" | "units", code: string): number => {
    const axis = maskAxes[what](row);
    check(axis >= 0, code, `${site} has no ${what === "place" ? "positions" : what}`, {
      where: site,
      got: row.axes.join(", "),
      hint: "leave it out, or choose another site",
    });
    return axis;
  };
  if (place !== undefined) {
    axisOf("place", "site/position");
    masks.place = slotOf(`${name} place`, place, true);
  }
  const codes = { heads: "site/head", keys: "site/key", units: "site/unit" } as const;
  for (const what of ["heads", "keys", "units"] as const) {
    if (where[what] === undefined || where[what] === "all") continue;
    const length = full[axisOf(what, codes[what])]!;
    const found = indices(where[what], length, {
      code: codes[what],
      what: what.slice(0, -1),
      where: site,
    });
    // Sites differ in width: one mask for each length.
    if (found) masks[what] = slotOf(`${name} ${what} ${length}`, maskOf(found, length));
  }
  return masks;
}
