// Do our models compute what Hugging Face and TransformerLens compute: prints the parity table.
import { encoderCells, encoderGoldens } from "../src/models/encoders/parity.fixture.ts";
import {
  type Cell,
  cellNames,
  isRed,
  listGolden,
  parityCells,
  readGolden,
} from "../src/models/parity.fixture.ts";
import { ortBackend } from "../src/runtime/index.ts";

const only = process.argv.slice(2);
const backend = ortBackend({ threads: 1 });
let count = 0;
let red = 0;
const rows: (readonly [name: string, cells: () => Promise<readonly Cell[]>])[] = [
  ...(await listGolden()).map(
    (name) => [name, async () => parityCells(await readGolden(name), backend)] as const,
  ),
  ...(await encoderGoldens()).map(
    (golden) => [golden.name, () => encoderCells(golden, backend)] as const,
  ),
].filter(([name]) => only.length === 0 || only.includes(name));
const width = Math.max(...rows.map(([name]) => name.length));
console.log(["".padEnd(width), ...cellNames.map((name) => name.padStart(10))].join(" "));
for (const [name, make] of rows) {
  let row: string[];
  let note = "";
  try {
    const cells = await make();
    count += cells.length;
    red += cells.filter(isRed).length;
    row = cellNames.map((which) => {
      const cell = cells.find((one) => one.name === which);
      if (cell === undefined) return "·".padStart(10);
      if (isRed(cell) && cell.at) note = `  ${cell.at}`;
      return `${isRed(cell) ? "RED " : ""}${cell.far.toExponential(1)}`.padStart(10);
    });
  } catch (error) {
    count += cellNames.length;
    red += cellNames.length;
    row = [`refused: ${(error as Error).message} ${JSON.stringify(error).slice(0, 300)}`];
  }
  console.log([name.padEnd(width), ...row].join(" ") + note);
}
console.log(
  "distance from Hugging Face (logits; of encoders, all outputs) and TransformerLens (sites; of " +
    "encoders, Hugging Face); · has no window, no cache or no padding",
);
console.log(`${count} cells, ${red} red`);
await backend.release();
process.exitCode = red > 0 ? 1 : 0;
