// How long does a feature page take with 50 requests in flight? The server runs in a process of its own.
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "../src/base/random.ts";
import { worldId, writeWorld } from "../src/server/bundle.fixture.ts";
import { serve } from "../src/server/serve.ts";
import { openWorkspace } from "../src/workspace/workspace.ts";

const [features, requests, inFlight, bar] = [2048, 4000, 50, 100];

async function server(folder: string): Promise<void> {
  const { url } = await serve({ folder, port: 0 });
  process.send!(url);
  process.on("disconnect", () => process.exit());
}

/** Milliseconds until the last byte. */
function ask(agent: Agent, url: string): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { "accept-encoding": "gzip" } }, (reply) => {
      reply.on("data", () => undefined);
      reply.on("end", () =>
        reply.statusCode === 200
          ? resolve(performance.now() - began)
          : reject(new Error(`${url}: ${reply.statusCode}`)),
      );
    }).on("error", reject);
  });
}

async function times(pathOf: (i: number) => string, base: string, n: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const taken: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < n)
      taken.push(await ask(agent, `${base}api/dictionaries/${worldId}${pathOf(next++)}`));
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  agent.destroy();
  return taken.sort((a, b) => a - b);
}

function line(claim: string, taken: number[], what: string): void {
  const p95 = taken[Math.floor(0.95 * taken.length)]!;
  const ours = Math.round(p95 * 10) / 10;
  const setting = `${what}; ${taken.length} requests, ${inFlight} in flight, ms`;
  console.log(
    JSON.stringify({ claim, ours, peer: null, ratio: null, bar, ok: ours < bar, setting }),
  );
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "micrographia-bench-"));
  await writeWorld(await openWorkspace(folder), { d_sae: features });
  const child = fork(fileURLToPath(import.meta.url), [folder]);
  const url = await new Promise<string>((resolve) => child.once("message", resolve as () => void));
  const rng = random(0);
  const page = (): string => `/features/${rng.int(features)}`;
  await times(page, url, 300);
  const claim = `a feature page answers within ${bar} ms at the 95th percentile`;
  line(claim, await times(page, url, requests), `${features} features, random pages`);
  const sorts = ["r", "density", "peak", "neuron"];
  const list = (i: number): string => `/features?sort=${sorts[i % 4]}&q=w${i % 100}&limit=50`;
  const listClaim = `a page of the feature list answers within ${bar} ms at the 95th percentile`;
  line(
    listClaim,
    await times(list, url, 1000),
    `${features} features, sorted and searched, 50 rows`,
  );
  child.disconnect();
  await new Promise((resolve) => child.once("exit", resolve));
  await rm(folder, { recursive: true, force: true });
}

const [folder] = process.argv.slice(2).filter((arg) => !arg.startsWith("-"));
if (process.send !== undefined && folder !== undefined) await server(folder);
else await main();
