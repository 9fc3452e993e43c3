// npm run golden: writes the golden files anew, from PyTorch and SAELens. Needs PEERS_PYTHON (bench/peers/README.md).
import { execFileSync } from "node:child_process";

const python = process.env.PEERS_PYTHON;
if (python === undefined) {
  console.error("PEERS_PYTHON is not set: see bench/peers/README.md for what it has to have");
  process.exit(2);
}
const run = (program: string, ...args: string[]): void => {
  console.log([program, ...args].join(" "));
  execFileSync(program, args, { stdio: "inherit" });
};
run(python, "scripts/golden/one_layer.py");
run(process.execPath, "--import", "tsx", "scripts/golden/saelens-fixture.ts");
run(python, "scripts/golden/saelens_topk.py");
