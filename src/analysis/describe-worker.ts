// A second thread for describing: takes blocks of features in turn with the first, and leaves products to it.
import { parentPort, workerData } from "node:worker_threads";
import { random } from "../base/random.ts";
import type { Product } from "../evidence/bootstrap.ts";
import type { HelperMessage, HelperStart, HelperTask } from "./describe-helper.ts";
import { type BlockWorld, describeBlock, nameBlock, takeBlocks } from "./feature-blocks.ts";
import { tokenScratch } from "./nearest.ts";
import { stripMaker } from "./strips.ts";

const { world: plain, operands, pieces, taken } = workerData as HelperStart;
const port = parentPort!;
const send = (message: HelperMessage): void => port.postMessage(message);

const waiting = new Map<number, (c: Float32Array) => void>();
let asked = 0;
const product: Product = (a, b, size) =>
  new Promise((resolve) => {
    const id = asked++;
    waiting.set(id, resolve);
    send({ kind: "product", id, a, operand: operands.indexOf(b), size });
  });

const d_vocab = plain.d_vocab;
const world: BlockWorld = {
  ...plain,
  ground: { ...plain.ground, product },
  product,
  rng: random(plain.seed).stream("describe"),
  strips: stripMaker(plain.ground.eval, {
    pieces: (ids) => Array.from(ids, (id) => pieces[id]!),
  }),
  scratch: tokenScratch(plain.columns.n_tokens),
  known: new Map(),
  tokenScratch: { current: new Float64Array(d_vocab), previous: new Float64Array(d_vocab) },
};

async function run(task: Exclude<HelperTask, { kind: "product" }>): Promise<void> {
  if (task.kind === "name")
    await takeBlocks(taken.name, world.d_sae, async (from, to) =>
      send({ kind: "named", block: await nameBlock(world, from, to) }),
    );
  else
    await takeBlocks(taken.describe, world.d_sae, async (from, to) =>
      send({ kind: "described", block: await describeBlock(world, task.named, from, to) }),
    );
  send({ kind: "done" });
}

port.on("message", (task: HelperTask) => {
  if (task.kind === "product") {
    waiting.get(task.id)!(task.c);
    waiting.delete(task.id);
  } else void run(task);
});
