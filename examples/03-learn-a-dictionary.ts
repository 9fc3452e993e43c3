// Can a dictionary find features that we know are there? 32 directions, planted in 16 dimensions, and searched for.
import { pathToFileURL } from "node:url";
import { bestCosines, plantedWorld } from "../src/dictionaries/index.ts";
import { ortBackend, random, trainDictionary } from "../src/index.ts";

export async function main({ steps = 600, seed = 0 } = {}) {
  const rng = random(seed);
  const d_in = 16;
  const features = 32;
  const world = plantedWorld(rng, { d: d_in, features, active: 2 });
  async function* batches() {
    for (;;) yield world.sample(512);
  }
  const backend = ortBackend({ threads: 1 });
  const options = {
    d_in,
    d_sae: 2 * features,
    k: 3,
    steps,
    batch: 512,
    lr: 3e-3,
    seed,
    workers: 1,
  };
  const dictionary = await trainDictionary(batches(), options, {}, backend);
  await backend.release();

  // Of each planted direction, the cosine of the decoder row that comes closest; by chance, for scale.
  const found = bestCosines(world.directions, dictionary.W_dec, d_in);
  const chance = plantedWorld(rng.stream("chance"), { d: d_in, features: 2 * features, active: 2 });
  const random_rows = bestCosines(world.directions, chance.directions, d_in);
  const mean = (values: Float64Array) => values.reduce((sum, v) => sum + v, 0) / values.length;
  return {
    mean_cosine: mean(found),
    mean_cosine_of_random_rows: mean(random_rows),
    found: found.filter((cosine) => cosine > 0.9).length,
    planted: features,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.table(await main());
