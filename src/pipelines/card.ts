// What does a model's card say: sources and licences, tokens, losses, vocabulary, hash.

import type { Model } from "../models/config.ts";
import type { GrowthLine } from "../models/grow.ts";
import type { Backend } from "../runtime/index.ts";
import { getText, putJson, putText, type Store } from "../storage/store.ts";
import { fieldGuideHash } from "../text/field-guide.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { birthsOf } from "./births.ts";
import type { Recipe } from "./recipe.ts";
import type { Corpus } from "./texts.ts";

export interface CardParts {
  recipe: Recipe;
  corpus: Corpus;
  tokenizer: Tokenizer;
  model: Model;
  /** Of the stored weights. */
  hash: string;
  /** Nats a token by context, on held-out documents. */
  validation: Record<string, number>;
  backend: Backend;
}

/** Writes `growth.json` (the record, thinned) and `card.md`. */
export async function writeCard(store: Store, parts: CardParts): Promise<void> {
  const lines = (await getText(store, "growth/growth.jsonl"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as GrowthLine);
  const every = Math.max(1, Math.floor(lines.length / 200));
  await putJson(store, "growth.json", {
    recipe: parts.recipe.model.name,
    hash: parts.hash,
    field_guide: fieldGuideHash(parts.corpus.documents),
    lines: lines.filter(
      ({ validation, readings }, i) =>
        i % every === 0 || validation !== undefined || readings !== undefined,
    ),
  });
  const { config, weights } = parts.model;
  const births =
    config.n_layers > 1 ? await birthsOf(config, weights, lines, parts.backend) : undefined;
  await putText(store, "card.md", card(parts, lines.at(-1), births));
}

function card(
  { recipe, corpus, tokenizer, model, hash, validation }: CardParts,
  last: GrowthLine | undefined,
  births: string | undefined,
): string {
  const { config } = model;
  const parameters = Object.values(model.weights).reduce((sum, { data }) => sum + data.length, 0);
  const sum = Object.values(recipe.weights).reduce((a, b) => a + b, 0);
  const { all, ...contexts } = validation;
  const sizes = `${config.n_layers} layer${config.n_layers > 1 ? "s" : ""}, d_model ${config.d_model}, ${config.n_heads} heads, ${config.d_mlp} ${config.act_fn} neurons, ${config.normalization === "none" ? "no norm" : config.normalization}, n_ctx ${config.n_ctx}, vocabulary ${config.d_vocab.toLocaleString("en")}`;
  return `# ${config.name}

A language model grown from scratch: ${sizes}; ${parameters.toLocaleString("en")} parameters.

* Hash of sizes and weights: \`${hash}\`
* Seed ${recipe.seed}; ${(last?.tokens ?? 0).toLocaleString("en")} tokens in ${(last?.step ?? 0).toLocaleString("en")} steps of ${recipe.training.batch} × ${config.n_ctx}.
* Stored as float16 (rounded once, after growing). Recipe: \`recipe.json\`. Growth: \`growth.json\`.
* Licence of the weights and the tokenizer: MIT.

## Held-out loss

Mean ${all?.toFixed(3) ?? "–"} nats a token over documents of the *select* split, which were never grown on.

| context | nats a token |
|---|---|
${Object.entries(contexts)
  .sort(([, a], [, b]) => a - b)
  .map(([name, loss]) => `| ${name} | ${loss.toFixed(3)} |`)
  .join("\n")}
${births === undefined ? "" : `\n${births}\n`}
## Sources

| context | source | licence |
|---|---|---|
${recipe.texts.map((t) => `| ${t.context} | ${t.attribution} (\`${t.path}\`) | ${t.licence} |`).join("\n")}
| field guide, generators | written and generated for this project | MIT |
| machine-* | documentation, licences, code, JSON and messages of the packages this project installs | theirs; trained on, not contained |
| intl-* | names, dates, numbers and units from Unicode CLDR through Node's \`Intl\` | Unicode-3.0 |

A quarter of the documents of every named source is held out. Weights of the mix, as shares of tokens:
${Object.entries(recipe.weights)
  .map(([name, weight]) => `${name} ${((100 * weight) / sum).toFixed(1)} %`)
  .join(", ")}.

Field guide, *select* and *eval* documents: \`${fieldGuideHash(corpus.documents)}\`.

## Vocabulary

${vocabularyReport(tokenizer)}
`;
}

/** Long tokens could hold verbatim strings of the texts: they are counted, and the longest are shown. */
function vocabularyReport(tokenizer: Tokenizer): string {
  const lengths = Array.from({ length: tokenizer.d_vocab }, (_, id) => ({
    id,
    bytes: tokenizer.tokenBytes(id).length,
  })).sort((a, b) => b.bytes - a.bytes || a.id - b.id);
  const long = lengths.filter(({ bytes, id }) => bytes > 16 && id !== tokenizer.eot);
  const shown = long
    .slice(0, 12)
    .map(({ id }) => `\`${JSON.stringify(tokenizer.decode([id])).slice(1, -1)}\``);
  return `${tokenizer.d_vocab.toLocaleString("en")} tokens; ${long.length} are longer than 16 bytes${
    shown.length > 0 ? `: ${shown.join(" ")}` : ""
  }.`;
}
