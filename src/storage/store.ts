// Bytes by key: the interface that everything which reads or writes artifacts is handed.

export interface Store {
  /** Shown in error messages: a folder, a URL, "memory". */
  readonly name: string;
  /** The whole value. Refuses with `storage/missing`. */
  get(key: string): Promise<Uint8Array>;
  /** Bytes [start, end). */
  getRange(key: string, start: number, end: number): Promise<Uint8Array>;
  /** Length in bytes, or undefined when the key does not exist. */
  size(key: string): Promise<number | undefined>;
  /** All or nothing: a reader sees the old value or the new one. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Adds to the end (logs). */
  append(key: string, bytes: Uint8Array): Promise<void>;
  /** Keys below a prefix, sorted. */
  list(prefix?: string): Promise<string[]>;
  delete(key: string): Promise<void>;
  /** An absolute folder on this machine, when the bytes lie in one (ORT maps weights from there). */
  readonly folder?: string;
}

export async function getText(store: Store, key: string): Promise<string> {
  return new TextDecoder().decode(await store.get(key));
}

export async function putText(store: Store, key: string, text: string): Promise<void> {
  await store.put(key, new TextEncoder().encode(text));
}

export async function putJson(store: Store, key: string, value: unknown): Promise<void> {
  await putText(store, key, `${JSON.stringify(value, null, 2)}\n`);
}
