// npm run golden: writes the golden files anew, from PyTorch, transformers, TransformerLens, SAELens and others. Needs PEERS_PYTHON (bench/peers/README.md).
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
run(process.execPath, "--import", "tsx", "scripts/golden/saelens-fixture.ts");
// In no order, but for the fixture above, which saelens_topk.py reads, and families, which its continuation reads.
const scripts =
  "one_layer saelens_topk families families_continued toys encoders interventions gradients processing reading sampling formats onnx_cases " +
  "onnx_versions tokenizer_kinds sentencepiece_bpe checkpoints";
for (const name of scripts.split(" ")) run(python, `scripts/golden/${name}.py`);
