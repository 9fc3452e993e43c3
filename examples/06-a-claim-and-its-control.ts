// Is there a feature for Hebrew? A claim: chosen on one set of documents, judged on another, beside its control.
import { pathToFileURL } from "node:url";
import { groundOf, measureDictionary } from "../src/analysis/index.ts";
import { contextClaims, poolControls } from "../src/evidence/index.ts";
import { type Model, permutedModel } from "../src/index.ts";
import { main as grow } from "./02-grow-a-model.ts";
import { learn } from "./05-describe-features.ts";

export async function main({ seed = 0, grown = grow({ seed }) } = {}) {
  const { model, rows } = await grown;
  const text = { select: rows.select, eval: rows.eval };

  // The same procedure twice: on the model, and where every weight matrix's entries are permuted.
  const measure = async (one: Model) => {
    const { dictionary, backend, coder } = await learn(one, rows.grow, { seed });
    const ground = await groundOf(text, backend, { d_vocab: one.config.d_vocab });
    const input = { model: one, dictionary, ...text };
    const measured = await measureDictionary(input, ground, coder, backend);
    await coder.release();
    await backend.release();
    return { ground, ...measured };
  };
  const { ground, figures } = await measure(model);
  const { figures: nothing } = await measure(permutedModel(model, 7));

  const names = ground.contexts.map((c) => rows.eval.contexts[c]!);
  const control = poolControls("permuted-weights", [nothing], names);
  return contextClaims(figures, ground, { control, seed }).map(
    ({ r_given_token }) => r_given_token,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const { statement, estimate, control, verdict } of await main()) {
    const band = (e: typeof estimate) =>
      `${e.value.toFixed(2)} [${e.low?.toFixed(2)}, ${e.high?.toFixed(2)}]`;
    console.log(`${statement}: ${band(estimate)}, control ${control && band(control)}: ${verdict}`);
  }
