// How is the state of a page written in its address? Plain words, no JSON.
export type Search = Record<string, string | undefined>;

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function writeSearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search))
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  // Commas stay readable.
  const text = params.toString().replace(/%2C/g, ",");
  return text === "" ? "" : `?${text}`;
}

/** Keeps the keys that a page knows; everything else leaves the address. */
export function pick<K extends string>(keys: readonly K[]) {
  return (search: Record<string, unknown>): Partial<Record<K, string>> => {
    const out: Partial<Record<K, string>> = {};
    for (const key of keys) {
      const value = search[key];
      if (value !== undefined && value !== null && value !== "") out[key] = String(value);
    }
    return out;
  };
}
