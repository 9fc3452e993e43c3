// Which neuron holds a prediction up, and does everything come back? A gradient names it; it is ablated, edited away, and undone.
import { pathToFileURL } from "node:url";
import {
  ablate,
  editStack,
  generate,
  gradients,
  listOrganisms,
  loadOrganism,
  type Model,
  ortBackend,
  pushEdit,
  runWithCache,
  tensor,
  undoEdit,
  viewStack,
} from "../src/index.ts";

export async function main(prompt = "This Agreement shall be governed by the laws") {
  if (!(await listOrganisms()).includes("field-1l")) {
    console.log("field-1l is not bundled here: nothing to touch");
    return undefined;
  }
  const model = await loadOrganism("field-1l");
  const tokenizer = model.tokenizer!;
  const backend = ortBackend({ threads: 1 });
  const ids = tokenizer.encode(prompt);
  const tokens = tensor("int32", [1, ids.length], ids);
  const { d_mlp, d_vocab } = model.config;
  const site = "blocks.0.mlp.hook_post";
  const last = { sites: site, positions: [-1] };

  const logitsOf = async (of: Model, silent: number[] = []) => {
    const interventions = silent.map((neuron) => ablate({ ...last, units: [neuron] }));
    const { logits } = await runWithCache(of, backend, tokens, { logits: true, interventions });
    return logits!.data.subarray((ids.length - 1) * d_vocab);
  };
  const clean = await logitsOf(model);
  const token = clean.indexOf(Math.max(...clean));

  // Activation · gradient: what each neuron adds to the logit, to first order.
  const of = { kind: "logit", token } as const;
  const found = await gradients(model, backend, tokens, { of, sites: [site], values: [site] });
  const end = (all: Float32Array) => all.subarray((ids.length - 1) * d_mlp);
  const acts = end(found.values[site]!.data);
  const slope = end(found.sites[site]!.data);
  const adds = acts.map((a, i) => a * slope[i]!);
  const neuron = adds.indexOf(Math.max(...adds));

  const ablated = await logitsOf(model, [neuron]);
  const stack = pushEdit(editStack(model), { kind: "zeroNeuron", layer: 0, neuron });
  const edited = await logitsOf(await viewStack(model, stack));
  const undone = await viewStack(model, undoEdit(stack));

  const writes: number[] = [];
  for await (const { rows } of generate(model, backend, [ids], { max_new_tokens: 12 }))
    writes.push(rows[0]!.token);
  await backend.release();
  return {
    token: tokenizer.decode([token]),
    neuron,
    predicted: adds[neuron]!,
    ablated: clean[token]! - ablated[token]!,
    edited: clean[token]! - edited[token]!,
    back: undone.hash === model.hash,
    writes: tokenizer.decode(writes),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await main());
