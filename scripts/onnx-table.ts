// Which ONNX operators we claim, for whom reads the docs: writes docs/onnx-operators.md from the table.
// `--check`: fails when the page is not what the table says. `--json`: the claimed pairs, for scripts.
import { readFileSync, writeFileSync } from "node:fs";
import { newest } from "../src/models/onnx/entries.ts";
import { claims, keyOf, onnxOps } from "../src/models/onnx/table.ts";

const page = "docs/onnx-operators.md";
const types = ["float32", "float64", "int32", "int64", "uint8", "bool"] as const;

function rows(domain: string): string {
  return onnxOps
    .filter((op) => op.domain === domain)
    .map(({ op, versions: [from, to], types: own, limits = "" }) => {
      const marks = types.map((type) => (own.includes(type) ? "✓" : ""));
      const half = own.includes("float32") ? "w" : "";
      const since = to === newest ? `${from}–` : `${from}–${to}`;
      const cells = [op, domain === "" ? since : "1", marks[0], half, ...marks.slice(1), limits];
      return `| ${cells.join(" | ")} |`;
    })
    .join("\n");
}

const head = `| operator | versions | ${types[0]} | float16 | ${types.slice(1).join(" | ")} | limits |
| --- | --- | --- | --- | ${types
  .slice(1)
  .map(() => "---")
  .join(" | ")} | --- |`;

function text(): string {
  const pairs = claims();
  const operators = new Set(pairs.map(({ key }) => key)).size;
  return `# ONNX operators

<!-- Written by scripts/onnx-table.ts from src/models/onnx/table.ts. Do not edit. -->

\`readOnnx\` turns an ONNX file (operator sets 7 to ${newest}) into a graph of our own: every named
value can be captured, replaced and differentiated, and the whole is written back. These ${operators}
operators are read, in ${pairs.length} (operator, type) pairs; the type is that of the first input (of a
generator: of its result). Each pair is tested against ONNX's own cases or its reference, in our
float64 reference and in ONNX Runtime; those of com.microsoft against ONNX Runtime's kernels.

- **✓** claimed. Any other type of an operator that is listed is refused by name (\`onnx/unclaimed\`)
  before a session is made, unless the file is read with \`unclaimed: "opaque"\`.
- **w** float16 (and bfloat16 initializers) are widened exactly, and computed in float32; inputs and
  outputs keep their type.
- An operator that is not listed still runs: its node is handed to ONNX Runtime as it is. Its results
  can be captured and replaced; a gradient through it is refused by name (\`grad/opaque\`). The shape
  of its results must not depend on the numbers that are fed.
- Shapes are static: free dimensions get their sizes when the file is read.
- Sizes, axes, pads and repeats must follow from shapes and constants (\`onnx/dynamic\`).
- \`If\` with a condition that is known, and functions of the model, are read in place.

## ONNX

${head}
${rows("")}

## com.microsoft

${head}
${rows("com.microsoft")}
`;
}

if (process.argv.includes("--json"))
  console.log(
    JSON.stringify(
      onnxOps.map(({ domain, op, types: own }) => ({ key: keyOf(domain, op), types: own })),
    ),
  );
else if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text()) {
    console.error(`${page} is not what the table says: run npx tsx scripts/onnx-table.ts`);
    process.exit(1);
  }
  console.log(`${page}: up to date`);
} else writeFileSync(page, text());
