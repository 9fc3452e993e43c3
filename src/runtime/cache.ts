// Which costly things stay loaded: the least recently used go first when the byte budget is spent.

export interface ByteCache<T> {
  /** Makes or finds the thing, and keeps it from eviction while `work` runs. */
  use<R>(key: string, make: () => Promise<T>, work: (value: T) => Promise<R>): Promise<R>;
  /** Says what a thing weighs, once that is known; may evict others. */
  weigh(key: string, bytes: number): Promise<void>;
  drop(key: string): Promise<void>;
  clear(): Promise<void>;
  keys(): string[];
  bytes(): number;
}

interface Entry<T> {
  value: Promise<T>;
  users: number;
}

/** The thing used last is never evicted, however much it weighs: dropping it would only thrash. */
export function byteCache<T>({
  budget,
  release,
}: {
  budget: number;
  release: (value: T) => Promise<void>;
}): ByteCache<T> {
  // A Map iterates in order of insertion: the least recently used comes first.
  const entries = new Map<string, Entry<T>>();
  // Kept beyond eviction: a thing that comes back weighs what it weighed.
  const weights = new Map<string, number>();
  const total = (): number =>
    [...entries.keys()].reduce((sum, key) => sum + (weights.get(key) ?? 0), 0);

  async function drop(key: string): Promise<void> {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    const value = await entry.value.catch(() => undefined);
    if (value !== undefined) await release(value);
  }

  async function evict(): Promise<void> {
    for (const [key, entry] of [...entries].slice(0, -1)) {
      if (total() <= budget) return;
      if (entry.users === 0) await drop(key);
    }
  }

  return {
    async use(key, make, work) {
      let entry = entries.get(key);
      entries.delete(key);
      entry ??= { value: make(), users: 0 };
      entries.set(key, entry);
      entry.users++;
      try {
        return await work(await entry.value);
      } catch (error) {
        const failed = await entry.value.then(
          () => false,
          () => true,
        );
        if (failed && entries.get(key) === entry) entries.delete(key);
        throw error;
      } finally {
        entry.users--;
        await evict();
      }
    },
    async weigh(key, bytes) {
      weights.set(key, Math.max(weights.get(key) ?? 0, bytes));
      await evict();
    },
    drop,
    async clear() {
      for (const key of [...entries.keys()]) await drop(key);
    },
    keys: () => [...entries.keys()],
    bytes: total,
  };
}
