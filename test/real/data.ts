// Where is the real data, and what is said when it is not here? The project holds none of it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { type Tensor, tensor } from "../../src/tensor/index.ts";

const folder = process.env.MICROGRAPHIA_REAL ?? "../shared/data";

/** A suite over one part of the data; skipped, saying so, where that is absent. */
export function withData(path: string, suite: (at: string) => void): void {
  const at = join(folder, path);
  const here = existsSync(at);
  if (!here) console.log(`skipped: there is no ${at}`);
  describe.skipIf(!here)(path, () => suite(at));
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** `{shape, dtype, data}` with base64 of little-endian float32. */
export function tensorOf(json: { shape: number[]; data: string }): Tensor<"float32"> {
  const bytes = new Uint8Array(Buffer.from(json.data, "base64"));
  return tensor("float32", json.shape, new Float32Array(bytes.buffer));
}

/** A figure that was reached, for whoever runs this. */
export function reached(what: string, figure: string): void {
  console.log(`reached: ${what}: ${figure}`);
}

/** The largest difference; infinite where one is no number. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    const far = Math.abs(a[i]! - b[i]!);
    most = Math.max(most, Number.isNaN(far) ? Number.POSITIVE_INFINITY : far);
  }
  return most;
}
