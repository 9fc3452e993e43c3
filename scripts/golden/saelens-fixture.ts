// Writes the dictionary that saelens_topk.py has SAELens read: npx tsx scripts/golden/saelens-fixture.ts
import { fileURLToPath } from "node:url";
import { random } from "../../src/base/random.ts";
import { type Dictionary, makeDictionary } from "../../src/dictionaries/dictionary.ts";
import { unitRows } from "../../src/dictionaries/initial.ts";
import { saveDictionary } from "../../src/dictionaries/saelens.ts";
import { folderStore } from "../../src/storage/folder.ts";

/** Small, with a scale to fold and a bias that makes some of the top k negative. */
export function saelensFixture(): Dictionary {
  const [d_in, d_sae, k] = [9, 24, 4];
  const rng = random(41);
  const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  return makeDictionary({
    architecture: "topk",
    d_in,
    d_sae,
    k,
    W_enc: normal(d_in * d_sae),
    b_enc: normal(d_sae).map((b) => b - 6),
    W_dec: unitRows(rng, d_sae, d_in),
    b_dec: normal(d_in),
    scale: 1.75,
    metadata: { model: "field-1l", site: "blocks.0.mlp.hook_post", seed: 41, steps: 0, tokens: 0 },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await saveDictionary(folderStore("test/golden/saelens"), "ours", saelensFixture());
