// Do our models compute what Hugging Face and TransformerLens compute: prints the parity table.
import {
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
const names = (await listGolden()).filter((name) => only.length === 0 || only.includes(name));
const width = Math.max(...names.map((name) => name.length));
console.log(["".padEnd(width), ...cellNames.map((name) => name.padStart(10))].join(" "));
for (const name of names) {
  let row: string[];
  let note = "";
  try {
    const cells = await parityCells(await readGolden(name), backend);
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
console.log("distance from Hugging Face (logits) and TransformerLens (sites); · has no window");
console.log(`${count} cells, ${red} red`);
await backend.release();
process.exitCode = red > 0 ? 1 : 0;
