// A map as a store, for tests and for small things.
import { fail } from "../base/errors.ts";
import type { Store } from "./store.ts";

export function memoryStore(): Store {
  const values = new Map<string, Uint8Array>();
  const get = (key: string): Uint8Array =>
    values.get(key) ??
    fail("storage/missing", `no such key: ${key}`, { where: "memory", got: key });
  return {
    name: "memory",
    get: async (key) => get(key),
    getRange: async (key, start, end) => new Uint8Array(get(key).subarray(start, end)),
    size: async (key) => values.get(key)?.length,
    put: async (key, bytes) => void values.set(key, new Uint8Array(bytes)),
    async append(key, bytes) {
      const old = values.get(key) ?? new Uint8Array();
      const joined = new Uint8Array(old.length + bytes.length);
      joined.set(old);
      joined.set(bytes, old.length);
      values.set(key, joined);
    },
    list: async (prefix = "") => [...values.keys()].filter((k) => k.startsWith(prefix)).sort(),
    delete: async (key) => void values.delete(key),
  };
}
