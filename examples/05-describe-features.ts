// What has a dictionary learned? Its features are described, stored as a bundle, and one page is read back.
import { pathToFileURL } from "node:url";
import {
  describeDictionary,
  type Model,
  memoryStore,
  openBundle,
  openCoder,
  ortBackend,
  random,
  shuffledBatches,
  type TokenRows,
  trainDictionary,
} from "../src/index.ts";
import { main as grow } from "./02-grow-a-model.ts";

export const site = "blocks.0.mlp.hook_post";

export async function learn(model: Model, rows: TokenRows, { steps = 200, seed = 0 } = {}) {
  const backend = ortBackend({ threads: 1 });
  const options = {
    d_in: model.config.d_mlp,
    d_sae: 64,
    k: 4,
    steps,
    batch: 256,
    seed,
    workers: 1,
  };
  const source = { site, batch: 256, bufferTokens: 2048, rng: random(seed), epochs: 50 };
  const batches = shuffledBatches(model, backend, rows, source);
  const metadata = { model: model.config.name, site, seed, steps, tokens: steps * 256 };
  const dictionary = await trainDictionary(batches, { ...options, metadata }, {}, backend);
  return { dictionary, backend, coder: await openCoder(dictionary, backend) };
}

export async function main({ seed = 0, grown = grow({ seed }) } = {}) {
  const { model, tokenizer, rows } = await grown;
  const { dictionary, backend, coder } = await learn(model, rows.grow, { seed });
  const store = memoryStore();
  const where = { store, prefix: "bundles/tiny", id: "tiny", revision: 1 };
  const input = { model, dictionary, tokenizer, select: rows.select, eval: rows.eval, ...where };
  await describeDictionary(input, coder, backend);
  await coder.release();
  await backend.release();

  const bundle = await openBundle(store, "bundles/tiny");
  const live = (await bundle.rows()).filter((row) => !row.dead);
  const first = live.reduce((a, b) => (b.density > a.density ? b : a));
  return { alive: live.length, page: await bundle.readPage(first.index) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { alive, page } = await main();
  console.log(`${alive} features fire. Feature ${page.index}: ${page.statement}`);
  for (const strip of page.top.slice(0, 5))
    console.log(`  ${strip.pieces.map(({ text }) => text).join("")}`);
}
