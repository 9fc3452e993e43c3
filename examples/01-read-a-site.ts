// What does a model hold inside while it reads a sentence? Loads the bundled organism and reads its neurons.
import { pathToFileURL } from "node:url";
import { listOrganisms, loadOrganism, ortBackend, runWithCache, tensor } from "../src/index.ts";

export async function main(text = "the parties agree that the tenant shall pay the rent") {
  if (!(await listOrganisms()).includes("field-1l")) {
    console.log("field-1l is not bundled here: nothing to read");
    return undefined;
  }
  const model = await loadOrganism("field-1l");
  const tokenizer = model.tokenizer!;
  const backend = ortBackend({ threads: 1 });
  const ids = tokenizer.encode(text);
  const site = "blocks.0.mlp.hook_post";
  const { cache } = await runWithCache(model, backend, tensor("int32", [1, ids.length], ids), {
    sites: [site],
  });
  const { shape, data } = cache[site]!; // [1, pos, d_mlp]
  const d_mlp = shape[2]!;

  // The strongest neuron at each token.
  const strongest = tokenizer.pieces(ids).map(({ text }, pos) => {
    const row = data.subarray(pos * d_mlp, (pos + 1) * d_mlp);
    const neuron = row.indexOf(Math.max(...row));
    return { token: text, neuron, activation: row[neuron]! };
  });
  await backend.release();
  return { shape, strongest };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const read = await main();
  if (read !== undefined) console.table(read.strongest);
}
