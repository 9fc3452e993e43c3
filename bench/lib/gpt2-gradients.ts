// One process that takes the loss's gradients at every residual stream and weight: prints {"ms", "bytes"}, its imports not counted.
import { gradients } from "../../src/hooks/index.ts";
import { bindWeights, openModel } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { tensor } from "../../src/tensor/index.ts";
import { fastest, shape } from "./gpt2.ts";

const [folder, batch, pos, laps] = [process.argv[2]!, ...process.argv.slice(3).map(Number)] as [
  string,
  number,
  number,
  number,
];
await import("onnxruntime-node");
const before = process.memoryUsage.rss();
const model = await openModel(folder, { tokenizer: null });
const backend = ortBackend();
const ids = Int32Array.from({ length: batch * pos }, (_, i) => (7919 * i) % shape.d_vocab);
const tokens = tensor("int32", [batch, pos], ids);
// As the checkpoint has them, the tied pair once: what autograd gives.
const weights = Object.keys(bindWeights(model).stored);
const seconds = await fastest(laps, () =>
  gradients(model, backend, tokens, {
    of: { kind: "crossEntropy" },
    sites: ["resid_post"],
    weights,
  }),
);
const peak = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ ms: 1000 * seconds, bytes: peak - before }));
process.exit(0);
