// The thread that describes half of the features: what it is told, what it answers, when it is worth its start.
import { availableParallelism } from "node:os";
import { startWorker } from "../base/worker.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import type { Ground } from "../evidence/judge.ts";
import type { BlockWorld, DescribedBlock, NamedBlock } from "./feature-blocks.ts";
import type { Piece } from "./page.ts";
import type { Named } from "./pages.ts";

type Made = "ground" | "product" | "rng" | "strips" | "scratch" | "known" | "tokenScratch";

/** What can be copied of the world; the columns' memory is shared. */
export interface PlainWorld extends Omit<BlockWorld, Made> {
  ground: Omit<Ground, "product">;
  /** Ids of tokens lie below it. */
  d_vocab: number;
}

/** Blocks given out so far, in shared memory, by stage. */
export interface Taken {
  name: Int32Array;
  describe: Int32Array;
}

export interface HelperStart {
  world: PlainWorld;
  /** Right sides of products, which both threads know by their place here. */
  operands: Float32Array[];
  /** By token id. */
  pieces: Piece[];
  taken: Taken;
}

export type HelperTask =
  | { kind: "name" }
  | { kind: "describe"; named: Named[] }
  | { kind: "product"; id: number; c: Float32Array };

export type HelperMessage =
  | {
      kind: "product";
      id: number;
      a: Float32Array;
      operand: number;
      size: { m: number; k: number; n: number };
    }
  | { kind: "named"; block: NamedBlock }
  | { kind: "described"; block: DescribedBlock }
  | { kind: "done" };

export interface DescribeHelper {
  /** Resolve when no block is left. */
  name(onBlock: (block: NamedBlock) => void): Promise<void>;
  describe(named: Named[], onBlock: (block: DescribedBlock) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export function takenBlocks(): Taken {
  const shared = new SharedArrayBuffer(8);
  return { name: new Int32Array(shared, 0, 1), describe: new Int32Array(shared, 4, 1) };
}

/** Below this many active pairs the thread's start costs more than it saves. */
const enoughPairs = 4_000_000;

/** Columns that are not shared would have to be copied: half a gigabyte of them. */
export function helps({ token, value }: FeatureColumns): boolean {
  return (
    token.length >= enoughPairs &&
    token.buffer instanceof SharedArrayBuffer &&
    value.buffer instanceof SharedArrayBuffer &&
    availableParallelism() > 1
  );
}

export function describeHelper(world: BlockWorld, taken: Taken): DescribeHelper {
  const { path } = world;
  const { product, ...ground } = world.ground;
  const operands = [ground.tokenTimes, ground.resamples.groups.times];
  if (path?.W_out) operands.push(path.W_out);
  if (path) operands.push(path.W_U);
  const { strips, rng, scratch, known, tokenScratch, product: _, ...plain } = world;
  const d_vocab = tokenScratch.current.length;
  const workerData: HelperStart = {
    world: { ...plain, ground, d_vocab },
    operands,
    pieces: Array.from({ length: d_vocab }, (_, id) => strips.piece(id)),
    taken,
  };
  const worker = startWorker(import.meta.url, "./describe-worker", { workerData });
  const tell = (task: HelperTask): void => worker.postMessage(task);
  const run = (task: HelperTask, onBlock: (message: HelperMessage) => unknown): Promise<void> =>
    new Promise((resolve, reject) => {
      const answer = async (message: HelperMessage): Promise<void> => {
        if (message.kind === "done") {
          worker.off("message", onMessage);
          resolve();
        } else if (message.kind === "product") {
          const { id, a, operand, size } = message;
          tell({ kind: "product", id, c: await world.product(a, operands[operand]!, size) });
        } else await onBlock(message);
      };
      const onMessage = (message: HelperMessage): void => void answer(message).catch(reject);
      worker.on("message", onMessage);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the describing thread ended (${code})`)));
      tell(task);
    });
  return {
    name: (onBlock) =>
      run({ kind: "name" }, (message) => message.kind === "named" && onBlock(message.block)),
    describe: (named, onBlock) =>
      run(
        { kind: "describe", named },
        (message) => message.kind === "described" && onBlock(message.block),
      ),
    async close() {
      await worker.terminate();
    },
  };
}
