// How well a model predicts held-out text, context by context.
import { input, type Program, program } from "../graph/index.ts";
import type { Backend } from "../runtime/backend.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { nextTokenLosses } from "./loss.ts";
import { weightInputs } from "./parameters.ts";

/** The part of `TokenRows` that is needed: each token's context is an index into `contexts`. */
export interface ValidationRows {
  readonly n_ctx: number;
  readonly rows: number;
  readonly tokens: Int32Array;
  readonly context: Uint16Array;
  readonly contexts: readonly string[];
}

/** Mean nats per token by the context of the token that is predicted; `all` over all of them. */
export async function contextLosses(
  config: ModelConfig,
  weights: Readonly<Record<string, Tensor<"float32">>>,
  data: ValidationRows,
  backend: Backend,
): Promise<Record<string, number>> {
  const { n_ctx: pos, rows, contexts } = data;
  const batch = Math.min(16, rows);
  const run = await backend.compile(lossProgram(config, { batch, pos }));
  const sums = new Float64Array(contexts.length);
  const counts = new Float64Array(contexts.length);
  for (let from = 0; from < rows; from += batch) {
    // The last batch is filled up with earlier rows, which are not counted twice.
    const first = Math.min(from, rows - batch);
    const part = data.tokens.slice(first * pos, (first + batch) * pos);
    const { ce } = await run.run({ ...weights, tokens: tensor("int32", [batch, pos], part) });
    for (let row = from; row < Math.min(from + batch, rows); row++)
      for (let i = 1; i < pos; i++) {
        const which = data.context[row * pos + i]!;
        sums[which]! += (ce!.data as Float32Array)[(row - first) * (pos - 1) + i - 1]!;
        counts[which]! += 1;
      }
  }
  await run.release();
  const total = sums.reduce((a, b) => a + b, 0) / counts.reduce((a, b) => a + b, 0);
  return Object.fromEntries([
    ["all", total],
    ...contexts
      .map((name, i) => [name, sums[i]! / counts[i]!] as const)
      .filter(([, x]) => !Number.isNaN(x)),
  ]);
}

/** `tokens` int32 [batch, pos] and the weights by name → `ce` [batch, pos − 1], nats. */
function lossProgram(config: ModelConfig, { batch, pos }: { batch: number; pos: number }): Program {
  const tokens = input("tokens", "int32", [batch, pos]);
  const weights = weightInputs(config);
  const ce = nextTokenLosses(config, weights, tokens);
  return program({ inputs: [tokens, ...Object.values(weights)], outputs: { ce } });
}
