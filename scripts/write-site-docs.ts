// Which sites exist, and which family has them, for whom reads the docs: writes docs/sites.md from the table.
// `--check`: fails when the page is not what the table says.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelConfig } from "../src/models/config.ts";
import { familyOf } from "../src/models/families/index.ts";
import { parseConfig } from "../src/models/parse-config.ts";
import { type Axis, type SiteRow, sites } from "../src/models/site-table.ts";
import { findSite, site } from "../src/models/sites.ts";
import { readConfig } from "../src/models/sources/source.ts";

const page = "docs/sites.md";
/** A small config of each family, and of its variants, as transformers wrote it. */
const folders = ["test/golden/families", "test/golden/encoders"];

/** What is ours alone: grown here, or written in TransformerLens' words. */
const grownHere = "ours";

interface Family {
  readonly name: string;
  readonly configs: ModelConfig[];
}

function families(): Family[] {
  const found = new Map<string, Family>();
  const add = (name: string, config: ModelConfig) => {
    const family = found.get(name) ?? { name, configs: [] };
    found.set(name, family);
    family.configs.push(config);
  };
  for (const folder of folders)
    for (const name of readdirSync(folder).sort()) {
      const where = join(folder, name, "config.json");
      const json = JSON.parse(readFileSync(where, "utf8"));
      const type: string | undefined = json.model_type;
      if (type === undefined) {
        const { hash: _, ...config } = json;
        add(grownHere, parseConfig(config, where));
      } else if (type === "clip")
        for (const tower of ["text", "image"] as const)
          add(`clip ${tower}`, readConfig(familyOf(json, where, tower), json, where, name));
      else add(shown(type), readConfig(familyOf(json, where), json, where, name));
    }
  return [...found.values()];
}

/** Part of CLIP, alone in its file. */
const shown = (type: string): string =>
  type.replace(/^clip_(text|vision)_model$/, (_, tower) =>
    tower === "text" ? "clip text" : "clip image",
  );

const all = families();
const decoders = all.filter(({ configs }) => configs[0]!.encoder === undefined);
const encoders = all.filter(({ configs }) => configs[0]!.encoder !== undefined);

/** In any layer: a mixture may have plain ones. */
function has(row: SiteRow, config: ModelConfig): boolean {
  return Array.from({ length: config.n_layers }, (_, layer) => layer).some(
    (layer) => row.lacking?.(config, row.perLayer ? layer : undefined) === undefined,
  );
}

/** Of decoders or encoders: all, none, those that have it, or all but the others; * is some variants. */
function named(row: SiteRow, group: readonly Family[], what: string): string | undefined {
  const marked = group.map(({ name, configs }) => {
    const n = configs.filter((config) => has(row, config)).length;
    return { name, some: n > 0, every: n === configs.length };
  });
  const those = marked.filter(({ some }) => some);
  if (those.length === 0) return undefined;
  const without = marked.filter(({ every }) => !every);
  if (without.length === 0) return `all ${what}`;
  const label = ({ name, some, every }: (typeof marked)[number]) =>
    some && !every ? `${name}*` : name;
  return without.length <= 6 && without.length < those.length
    ? `all ${what} but ${without.map(label).join(", ")}`
    : those.map(label).join(", ");
}

function familiesOf(row: SiteRow): string {
  const parts = [named(row, decoders, "decoders"), named(row, encoders, "encoders")];
  const here = parts.filter((part) => part !== undefined);
  return here.join("; ") === "all decoders; all encoders" ? "all" : here.join("; ") || "none";
}

const widths: Partial<Record<Axis, string>> = {
  head: "n_heads",
  key_head: "n_key_value_heads",
  expert: "n_experts",
  q_norms: "n_heads or 1",
  k_norms: "n_key_value_heads or 1",
  one: "1",
};

/** Numbers a token: the lengths of the axes after batch and position. */
function widthOf({ axes }: SiteRow): string {
  if (axes.includes("query")) return "none: n_heads × pos × pos a row";
  if (!axes.includes("pos")) return "none: d_model a row";
  const inner = axes.filter((axis) => axis !== "batch" && axis !== "pos");
  // Over all heads at once or over each: together as many.
  if (inner.includes("q_norm_width")) return "n_heads × d_head";
  if (inner.includes("k_norm_width")) return "n_key_value_heads × d_head";
  const parts = inner.map((axis) => widths[axis] ?? axis);
  return parts.filter((part, i) => part !== "1" || i === 0).join(" × ");
}

function rows(perLayer: boolean): string {
  const head = `| code | string | axes | width | families | value |
| --- | --- | --- | --- | --- | --- |`;
  const lines = sites
    .filter((row) => row.perLayer === perLayer)
    .map((row) => {
      const code = `\`${row.name}\``;
      const string = `\`${perLayer ? "blocks.N." : ""}${row.hook}\``;
      const cells = [code, string, row.axes.join(" × "), widthOf(row), familiesOf(row), row.what];
      return `| ${cells.join(" | ")} |`;
    });
  return [head, ...lines].join("\n");
}

/** Where a family's own axes are others than the table's. */
function exceptions(): string[] {
  return all.flatMap(({ name, configs: [config] }) =>
    sites.flatMap((row) => {
      if (row.lacking?.(config!, row.perLayer ? 0 : undefined) !== undefined) return [];
      const own = findSite(config!, site(row.name, row.perLayer ? 0 : undefined)).row;
      if (own.axes.join() === row.axes.join()) return [];
      return [`- Of ${name}, \`${row.hook}\` is ${own.axes.join(" × ")}: ${own.what}.`];
    }),
  );
}

const list = (group: readonly Family[]): string => group.map(({ name }) => name).join(", ");

function text(): string {
  return `# Sites

<!-- Written by scripts/write-site-docs.ts from src/models/site-table.ts. Do not edit. -->

Every place in a model that can be captured, changed and differentiated: ${sites.length} sites, ${
    sites.filter(({ perLayer }) => perLayer).length
  } of them once
a layer. How names, axes and globs work is in the [guide](guide/sites.md); \`micrographia info MODEL\` prints this
table for one model, with its numbers and the reason for what it lacks.

- **code** is the short name: \`site("mlp_post", 3)\`, or \`sites: ["mlp_post"]\` for every layer.
- **string** is TransformerLens' name, where it has one; \`N\` is the layer.
- **width** is how many numbers a token has. Experts, heads and sizes are those of the model's config.
- **families** are those of \`model_type\`. Decoders: ${list(decoders)}.
  Encoders: ${list(encoders)}. \`${grownHere}\` are models grown here, with what they leave out.
  A \\* has the site in some of the variants that are tested. Of a mixture of experts, MLP sites are those of its plain
  layers; a head that a checkpoint lacks (pooler, masked tokens) has no sites.
- Rows are in the order of the forward pass where norms come first; \`sitesOf(config)\` has each model's own.
${exceptions().join("\n")}

## Once a model

${rows(false)}

## Once a layer

${rows(true)}
`;
}

if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text()) {
    console.error(`${page} is not what the table says: run npx tsx scripts/write-site-docs.ts`);
    process.exit(1);
  }
  console.log(`${page}: up to date`);
} else writeFileSync(page, text());
