// Ctrl-C: the first asks to drain, the second ends at once; either way the exit code is 130.

export interface Interrupt {
  readonly asked: boolean;
  /** Resolves with the first Ctrl-C. */
  readonly first: Promise<void>;
  /** Stops listening. */
  off(): void;
}

export function onInterrupt(actions: { first: () => void; second: () => void }): Interrupt {
  let asked = 0;
  let resolve: () => void = () => undefined;
  const first = new Promise<void>((done) => {
    resolve = done;
  });
  const listen = (): void => {
    asked++;
    if (asked === 1) {
      actions.first();
      resolve();
    } else actions.second();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, listen);
  return {
    get asked() {
      return asked > 0;
    },
    first,
    off: () => {
      for (const signal of signals) process.off(signal, listen);
    },
  };
}
