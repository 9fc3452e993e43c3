// How does a command run in another environment than it was started in: once more, in a process of its own.
import { spawn } from "node:child_process";
import { constants } from "node:os";

/** Starts this very command in `env` and waits for it; its exit code. */
export function runAgain(env: NodeJS.ProcessEnv): Promise<number> {
  const args = [...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(process.execPath, args, { stdio: "inherit", env });
  // A terminal tells both of an interrupt; other signals reach only the one they are sent to.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
