// Does a recording come out again, and to which bit may it be expected to?
import { check } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import type { Model } from "../models/index.ts";
import { type Backend, buildDifferences, buildInfo } from "../runtime/index.ts";
import type { Store } from "../storage/store.ts";
import { narrowF16, toFloat32 } from "../tensor/half.ts";
import { type ActivationManifest, checkSame, makeRecipe, readJson, recipeOf } from "./record.ts";
import { type ActivationRows, activationStream } from "./stream.ts";

export interface Replay {
  /** All that was recorded, and how many of them differ in a bit now. */
  readonly numbers: number;
  readonly differing: number;
  /** The largest difference. */
  readonly far: number;
  /** Whether bits have to agree: it was recorded on this build, with these options, on this kind of processor. */
  readonly exact: boolean;
  /** What is otherwise than it was then. */
  readonly differences: readonly string[];
  /** The outcome in a sentence, which claims no more than the builds allow. */
  readonly says: string;
}

/**
 * Computes a finished recording anew and compares every number with what lies in its shards. Nothing is
 * written. Errors: `activations/missing`, `activations/recipe` (of another model, other tokens).
 */
export async function replayActivations(
  model: Model,
  backend: Backend,
  data: ActivationRows,
  { store, prefix = "" }: { store: Store; prefix?: string },
  context: Context = {},
): Promise<Replay> {
  const manifest = await readJson<ActivationManifest>(store, `${prefix}manifest.json`);
  check(manifest !== undefined, "activations/missing", "there is no finished recording", {
    where: store.name,
    wanted: `${prefix}manifest.json`,
  });
  const recorded = recipeOf(manifest);
  checkSame(store, recorded, makeRecipe(model, data, recorded));
  const { site, dtype, n_ctx } = recorded;
  const found = { numbers: 0, differing: 0, far: 0 };
  for (const { file, rows } of manifest.shards) {
    const kept = (await readSafetensors(store, `${prefix}${file}`)).tensors.acts!;
    const part = {
      n_ctx,
      rows: rows[1] - rows[0],
      tokens: data.tokens.subarray(rows[0] * n_ctx, rows[1] * n_ctx),
    };
    const options = { site, outputLimit: manifest.output_limit };
    let at = 0;
    for await (const { acts } of activationStream(model, backend, part, options, context)) {
      const now = dtype === "float16" ? narrowF16(acts) : acts;
      const then = kept.data.subarray(at, at + now.length) as typeof now;
      compare(found, then, now, (x) => (dtype === "float16" ? widened(x as Uint16Array) : x));
      at += now.length;
    }
    context.onProgress?.({
      stage: "replay",
      done: rows[1] * n_ctx,
      total: recorded.tokens,
      unit: "tokens",
    });
  }
  const differences = await since(manifest, backend);
  const exact = differences.length === 0;
  return { ...found, exact, differences, says: said(found, differences) };
}

type Found = { numbers: number; differing: number; far: number };
type Numbers = Float32Array | Uint16Array;

/** Bits first: what is not a number is equal to itself, and 0 is not −0. */
function compare(
  found: Found,
  then: Numbers,
  now: Numbers,
  read: (x: Numbers) => ArrayLike<number>,
): void {
  found.numbers += now.length;
  const bits = ({ buffer, byteOffset, byteLength }: Numbers) =>
    Buffer.from(buffer, byteOffset, byteLength);
  if (bits(then).equals(bits(now))) return;
  const [a, b] = [read(then), read(now)];
  for (let i = 0; i < now.length; i++) {
    if (Object.is(a[i], b[i])) continue;
    found.differing += 1;
    const far = Math.abs(a[i]! - b[i]!);
    if (!(far <= found.far)) found.far = far;
  }
}

const widened = (halves: Uint16Array): Float32Array =>
  toFloat32({ dtype: "float16", shape: [halves.length], data: halves }).data;

async function since({ builds }: ActivationManifest, backend: Backend): Promise<string[]> {
  if (builds === undefined || builds.length === 0)
    return ["it was recorded by a version that did not say on what"];
  const now = await buildInfo(backend);
  return [...new Set(builds.flatMap((then) => buildDifferences(then, now)))];
}

function said({ numbers, differing, far }: Found, differences: readonly string[]): string {
  const what =
    differing === 0
      ? `all ${numbers} numbers are the same to the bit`
      : `${differing} of ${numbers} numbers differ, by ${far.toExponential(1)} at most`;
  if (differences.length === 0) {
    const same = "on the build, options and kind of processor that it was recorded on";
    return differing === 0 ? `${what}, ${same}` : `${what}, though ${same}: something is wrong`;
  }
  const other = `it was recorded on another build (${differences.join("; ")})`;
  return differing === 0 ? `${what}, though ${other}` : `${what}; ${other}: bits need not agree`;
}
