// Is the field guide sound: enough documents in every context, and none that copies another?
// npx tsx scripts/corpus-check.ts [--min 40] [--json]
import { splits } from "../src/text/document.ts";
import { findDuplicates } from "../src/text/duplicates.ts";
import { fieldGuideHash, readFieldGuide } from "../src/text/field-guide.ts";

const option = process.argv.indexOf("--min");
const min = option < 0 ? 40 : Number(process.argv[option + 1]);
const documents = await readFieldGuide();
const contexts = [...new Set(documents.map(({ context }) => context))];
const contextOf = new Map(documents.map(({ id, context }) => [id, context]));
const splitOf = new Map(documents.map(({ id, split }) => [id, split]));

const duplicates = findDuplicates(documents, min);
const table = contexts.map((context) => {
  const own = documents.filter((document) => document.context === context);
  const lengths = own.map(({ text }) => text.length);
  const shared = duplicates.filter(
    ({ a, b }) => contextOf.get(a) === context || contextOf.get(b) === context,
  );
  return {
    context,
    documents: own.length,
    characters: lengths.reduce((sum, n) => sum + n, 0),
    shortest: Math.min(...lengths),
    longest: Math.max(...lengths),
    ...Object.fromEntries(
      splits.map((split) => [split, own.filter((one) => one.split === split).length]),
    ),
    duplicates: shared.length,
  };
});
const acrossSplits = duplicates.filter(({ a, b }) => splitOf.get(a) !== splitOf.get(b));
const report = {
  documents: documents.length,
  characters: table.reduce((sum, row) => sum + row.characters, 0),
  hash: fieldGuideHash(documents),
  duplicates: duplicates.length,
  duplicates_across_splits: acrossSplits.length,
};

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ ...report, table, found: duplicates }));
} else {
  console.table(table);
  for (const { a, b, text } of duplicates.slice(0, 60))
    console.log(
      `${String(text.length).padStart(4)}  ${a} (${splitOf.get(a)})  ${b} (${splitOf.get(b)})\n      ${text.slice(0, 120)}`,
    );
  console.log(report);
}
const thin = table.filter((row) => row.documents < 12);
if (thin.length > 0) {
  console.error(`fewer than 12 documents: ${thin.map(({ context }) => context).join(", ")}`);
  process.exitCode = 1;
}
