// Which features are asked for, in the page's address and in the API's?
export type ListSearch = Partial<
  Record<
    | "q"
    | "sort"
    | "order"
    | "context"
    | "verdict"
    | "min_r"
    | "max_density"
    | "min_density"
    | "alive"
    | "at"
    | "facets"
    | "peek",
    string
  >
>;

export const sorts = ["r", "density", "peak", "index", "neuron"] as const;
export type Sort = (typeof sorts)[number];

export const sortWords: Record<Sort, string> = {
  r: "r given the token with the best context",
  density: "density",
  peak: "peak",
  index: "number",
  neuron: "best neuron",
};

const asked = ["q", "context", "verdict", "min_r", "max_density", "min_density", "alive"] as const;

export function sortOf(search: ListSearch): { sort: Sort; order: "asc" | "desc" } {
  const sort = sorts.find((s) => s === search.sort) ?? "r";
  const order = search.order ?? (sort === "index" ? "asc" : "desc");
  return { sort, order: order === "asc" ? "asc" : "desc" };
}

/** What the API is asked, without offset and limit: also the identity of a list. */
export function apiParams(search: ListSearch): string {
  const { sort, order } = sortOf(search);
  const params = new URLSearchParams({ sort, order });
  for (const key of asked) if (search[key]) params.set(key, search[key]!);
  return params.toString().replace(/%2C/g, ",");
}

export interface Chip {
  key: (typeof asked)[number];
  label: string;
  sign: string;
  value: string;
  /** One of several in the same key. */
  part?: string;
}

function percentWord(share: string): string {
  return `${Number((Number(share) * 100).toPrecision(3))} %`;
}

export function chipsOf(search: ListSearch, word: (context: string) => string): Chip[] {
  const chips: Chip[] = [];
  if (search.min_r) chips.push({ key: "min_r", label: "r", sign: ">", value: search.min_r });
  if (search.max_density)
    chips.push({
      key: "max_density",
      label: "density",
      sign: "<",
      value: percentWord(search.max_density),
    });
  if (search.min_density)
    chips.push({
      key: "min_density",
      label: "density",
      sign: ">",
      value: percentWord(search.min_density),
    });
  if (search.alive) chips.push({ key: "alive", label: "alive", sign: "", value: "" });
  if (search.verdict)
    chips.push({ key: "verdict", label: "verdict", sign: "", value: search.verdict });
  const contexts = search.context?.split(",") ?? [];
  if (contexts.length > 3) {
    chips.push({ key: "context", label: "context", sign: "", value: `${contexts.length} chosen` });
    return chips;
  }
  for (const part of contexts)
    chips.push({ key: "context", label: "context", sign: "", value: word(part), part });
  return chips;
}

export function without(search: ListSearch, chip: Chip): ListSearch {
  const rest = { ...search };
  if (chip.part === undefined) delete rest[chip.key];
  else {
    const left = (search.context ?? "").split(",").filter((c) => c !== chip.part);
    if (left.length > 0) rest.context = left.join(",");
    else delete rest.context;
  }
  return rest;
}

export function toggled(search: ListSearch, context: string): ListSearch {
  const now = search.context?.split(",") ?? [];
  const next = now.includes(context) ? now.filter((c) => c !== context) : [...now, context];
  return { ...search, context: next.length > 0 ? next.join(",") : undefined };
}

/** "r > .5 digits" → `{ min_r: "0.5", q: "digits" }`. */
export function readQuery(text: string): ListSearch {
  const out: ListSearch = {};
  const rest = text.replace(
    /\b(r|density)\s*([<>])\s*(\d*\.?\d+)\s*(%?)/gi,
    (whole, name: string, sign: string, digits: string, unit: string) => {
      const value = String(Number(digits) / (unit === "%" ? 100 : 1));
      if (name.toLowerCase() === "r" && sign === ">") out.min_r = value;
      else if (name.toLowerCase() === "density" && sign === "<") out.max_density = value;
      else if (name.toLowerCase() === "density") out.min_density = value;
      else return whole;
      return "";
    },
  );
  out.q = rest.trim();
  return out;
}
