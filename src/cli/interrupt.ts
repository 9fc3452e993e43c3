// Ctrl-C: the first asks to drain, the second ends at once; either way the exit code is 130.
import { exit } from "./exit.ts";

export interface Interrupt {
  readonly asked: boolean;
  /** Resolves with the first Ctrl-C. */
  readonly first: Promise<void>;
  /** Stops listening. */
  off(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** One Ctrl-C can arrive twice: from the terminal, and passed on by npm. */
const onceMs = 1000;

export function onInterrupt(
  actions: { first: () => void; second: () => void },
  { now = Date.now }: { now?: () => number } = {},
): Interrupt {
  let at: number | undefined;
  let resolve: () => void = () => undefined;
  const first = new Promise<void>((done) => {
    resolve = done;
  });
  const listen = (): void => {
    if (at === undefined) {
      at = now();
      actions.first();
      resolve();
    } else if (now() - at > onceMs) actions.second();
  };
  for (const signal of signals) process.on(signal, listen);
  return {
    get asked() {
      return at !== undefined;
    },
    first,
    off: () => {
      for (const signal of signals) process.off(signal, listen);
    },
  };
}

/** Where nothing has to drain, while modules load or a file is read: 130 at once. */
export function exitOnInterrupt(): void {
  for (const signal of signals)
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(exit.interrupted);
    });
}
