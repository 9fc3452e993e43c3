// micrographia pull: a model from the Hugging Face hub into the cache that Python shares.
import type { Command } from "commander";
import type { Progress } from "../base/progress.ts";
import { splitReference } from "../models/resolve.ts";
import { pullModel } from "../storage/hub/pull.ts";
import { exit } from "./exit.ts";
import { bar, bytes, figures } from "./format.ts";
import { onInterrupt } from "./interrupt.ts";
import { print } from "./job.ts";
import { talker } from "./talk.ts";

interface Options {
  include?: string[];
  all?: boolean;
  offline?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function define(command: Command): Command {
  return command
    .argument("<repo[@revision]>", "e.g. openai-community/gpt2, org/name@v2")
    .option("--include <globs...>", "these files instead of those that the model needs")
    .option("--all", "every file of the repository")
    .option("--offline", "ask the cache only (HF_HUB_OFFLINE)")
    .option("--json", "one JSON document on stdout")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      "\nHF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE and HF_ENDPOINT are read as in Python.",
    );
}

export async function run(reference: string, options: Options): Promise<number> {
  const { include, all, offline, json = false, quiet = false } = options;
  const { repo, revision } = splitReference(reference);
  const stop = new AbortController();
  const talk = talker({ quiet });
  const interrupt = onInterrupt({
    first: () => stop.abort(),
    second: () => process.exit(exit.interrupted),
  });
  try {
    const { fetchedBytes, ...pulled } = await pullModel(repo, {
      revision,
      include,
      all,
      offline,
      signal: stop.signal,
      onProgress: quiet ? undefined : progressLine(process.stderr),
    });
    const told = { ...pulled, fetched_bytes: fetchedBytes };
    if (json) await print(JSON.stringify(told));
    else await print(figures(readable(told)).join("\n"));
    return exit.done;
  } finally {
    interrupt.off();
    talk.end();
  }
}

function readable({
  files,
  bytes: all,
  fetched_bytes,
  offline,
  ...rest
}: {
  files: readonly string[];
  bytes: number;
  fetched_bytes: number;
  offline: boolean;
}): object {
  return {
    ...rest,
    files: files.join(", "),
    size: bytes(all),
    fetched: offline ? "nothing: the hub was not asked" : bytes(fetched_bytes),
  };
}

/** One moving line on a terminal, a line every ten seconds elsewhere. */
function progressLine(to: {
  isTTY?: boolean;
  write(text: string): unknown;
}): (progress: Progress) => void {
  let saidAt = 0;
  const started = Date.now();
  return ({ done, total }) => {
    const now = Date.now();
    const over = done >= total;
    if (!over && now - saidAt < (to.isTTY === true ? 100 : 10_000)) return;
    if (over && to.isTTY !== true) return;
    saidAt = now;
    const share = total === 0 ? 1 : done / total;
    const rate = bytes(done / Math.max(0.001, (now - started) / 1000));
    const line = `pull ${bar(share)} ${Math.floor(100 * share)} %  ${bytes(done)} of ${bytes(total)}  ${rate}/s`;
    to.write(to.isTTY === true ? `\r\u001b[K${line}${over ? "\n" : ""}` : `${line}\n`);
  };
}
