// What is a neuron for? Each one is silenced in turn, and the loss tells by context who misses it.
import { pathToFileURL } from "node:url";
import { lossWith, ortBackend, type TokenRows } from "../src/index.ts";
import { main as grow, languages } from "./02-grow-a-model.ts";

const site = "blocks.0.mlp.hook_post";

export async function main({ seed = 0, grown = grow({ seed }) } = {}) {
  const { model, rows } = await grown;
  const { d_mlp } = model.config;
  const backend = ortBackend({ threads: 1 });
  // What silencing a neuron costs in each language, in nats a token.
  const costs = async (neuron: number, judged: TokenRows): Promise<number[]> => {
    const replace = (acts: Float32Array) => acts.map((a, i) => (i % d_mlp === neuron ? 0 : a));
    const { ce: clean } = await lossWith(model, backend, judged);
    const { ce } = await lossWith(model, backend, judged, { site, replace });
    return languages.map((_, c) => rise(clean, ce, judged.context, c));
  };
  const onSelect: number[][] = [];
  for (let neuron = 0; neuron < d_mlp; neuron++) onSelect.push(await costs(neuron, rows.select));

  // The neuron that a language misses most is chosen on some documents, and judged on others.
  const table = [];
  for (const [c, context] of languages.entries()) {
    const neuron = onSelect.reduce((best, own, n) => (own[c]! > onSelect[best]![c]! ? n : best), 0);
    const judged = await costs(neuron, rows.eval);
    const elsewhere = Math.max(...judged.filter((_, other) => other !== c));
    table.push({ context, neuron, costs: judged[c]!, elsewhere });
  }
  await backend.release();
  return table;
}

/** Mean rise of the loss over the tokens of one context that have a next token. */
function rise(clean: Float32Array, changed: Float32Array, context: Uint16Array, c: number): number {
  let sum = 0;
  let n = 0;
  changed.forEach((ce, t) => {
    if (context[t] !== c || Number.isNaN(ce)) return;
    sum += ce - clean[t]!;
    n += 1;
  });
  return sum / n;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.table(await main());
