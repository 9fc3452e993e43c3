// Does a reader survive bad files? Typed errors only, no hang, no more memory than the file is worth.
import { describeError, isError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { mutant } from "./mutate.ts";
import type { Reader } from "./readers.ts";

/** What a file of no size may cost, garbage included; each byte costs at most `perByte` more. */
const baseBytes = 8 * 2 ** 20;
const perByte = 256;
/** Microseconds of work, not of waiting: the machine may be busy. */
const slowest = 2_000_000;

export interface Outcome {
  accepted: number;
  refused: number;
  /** By code of the error. */
  codes: Record<string, number>;
}

/** Inputs `from` … `to`. Throws at the first that breaks the reader, with its number. */
export async function fuzz(reader: Reader, from: number, to: number): Promise<Outcome> {
  const outcome: Outcome = { accepted: 0, refused: 0, codes: {} };
  for (let i = from; i < to; i++) {
    const bytes = mutant(reader.mutate, reader.seeds, i);
    const before = process.memoryUsage();
    const start = process.cpuUsage();
    const code = await tried(reader, bytes).catch((cause) => {
      throw new Error(`${reader.name}: input ${i} breaks the reader`, { cause });
    });
    const used = process.cpuUsage(start);
    if (used.user + used.system > slowest)
      throw new Error(`${reader.name}: input ${i} of ${bytes.length} bytes takes too long`);
    const after = process.memoryUsage();
    const grown = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
    if (grown > (reader.baseBytes ?? baseBytes) + perByte * bytes.length)
      throw new Error(`${reader.name}: input ${i} of ${bytes.length} bytes takes ${grown} bytes`);
    if (code === undefined) outcome.accepted++;
    else {
      outcome.refused++;
      outcome.codes[code] = (outcome.codes[code] ?? 0) + 1;
    }
  }
  return outcome;
}

/** undefined: read; otherwise the code of our error. Any other error is thrown on. */
async function tried(reader: Reader, bytes: Uint8Array): Promise<string | undefined> {
  const store = memoryStore();
  await store.put("x", bytes);
  try {
    await reader.read(bytes, strict(store, bytes.length));
    return undefined;
  } catch (error) {
    // The sentence for the terminal has to survive what the file put into it.
    if (isError(error) && describeError(error).includes(error.code)) return error.code;
    throw error;
  }
}

/** A store that notices when more is asked for than there is. */
function strict(store: Store, size: number): Store {
  return {
    ...store,
    getRange(key, start, end) {
      if (!(start >= 0 && start <= end && end <= size))
        throw new Error(`asks for bytes ${start} to ${end} of ${size}`);
      return store.getRange(key, start, end);
    },
  };
}
