// micrographia serve: the app over what lies in a project folder.
import type { Command } from "commander";
import { serve } from "../server/serve.ts";
import { openBrowser } from "./browser.ts";
import { exit } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { print } from "./job.ts";
import { type CommonOptions, commonOptions, portNumber } from "./options.ts";
import { talker } from "./talk.ts";

interface Options extends CommonOptions {
  port?: number;
  open: boolean;
}

export function define(command: Command): Command {
  return commonOptions(command, { seed: false })
    .option("--port <n>", "port of the page (default: 1665, or the next free one)", portNumber)
    .option("--no-open", "do not open a browser");
}

export async function run({ json, quiet, threads, out, port, open }: Options): Promise<number> {
  const talk = talker({ quiet });
  const server = await serve({ folder: out, port, threads });
  const { privateUrl: url, readOnly } = server;
  const interrupt = onInterrupt({
    first: () => talk.say("closing"),
    second: () => process.exit(exit.interrupted),
  });
  if (json) await print(JSON.stringify({ url, port: server.port, read_only: readOnly }));
  else talk.say(`micrographia  ${url}`);
  if (readOnly !== null) talk.say(`note: ${readOnly}`);
  if (open && !json) openBrowser(url);
  await interrupt.first;
  await server.close();
  return exit.interrupted;
}
