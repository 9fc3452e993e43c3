// One process that opens a folder and reads one value: prints {"ms", "bytes"}, its imports not counted.
import { runWithCache } from "../../src/hooks/index.ts";
import { openModel } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { tensor } from "../../src/tensor/index.ts";

await import("onnxruntime-node");
const before = process.memoryUsage.rss();
const began = performance.now();
const model = await openModel(process.argv[2]!, { tokenizer: null });
const ids = Int32Array.from({ length: 32 }, (_, i) => 101 * i);
const site = `blocks.${model.config.n_layers - 1}.hook_resid_post`;
await runWithCache(model, ortBackend(), tensor("int32", [1, 32], ids), { sites: [site] });
const ms = performance.now() - began;
const peak = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ ms, bytes: Math.max(0, peak - before) }));
process.exit(0);
