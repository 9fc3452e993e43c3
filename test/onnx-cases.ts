// ONNX's own cases of one node each: read from their archive, run by us twice, and judged.
import { gunzipSync } from "node:zlib";
import { isError } from "../src/base/errors.ts";
import { readModel, readTensorProto } from "../src/formats/onnx/model.ts";
import { readTensor } from "../src/formats/onnx/tensor.ts";
import { interpret } from "../src/graph/interpret.ts";
import { type Program, program } from "../src/graph/program.ts";
import { fedInputs } from "../src/models/onnx/ports.ts";
import { type OnnxModel, readOnnx } from "../src/models/onnx/read.ts";
import type { Backend } from "../src/runtime/backend.ts";
import { toFloat32 } from "../src/tensor/half.ts";
import type { Tensor } from "../src/tensor/tensor.ts";

export interface OnnxCase {
  name: string;
  model: Uint8Array;
  /** Files in order, each a TensorProto. */
  inputs: Uint8Array[];
  outputs: Uint8Array[];
}

/** `node/<case>/model.onnx` and `node/<case>/test_data_set_0/{input,output}_<i>.pb` of a tar.gz. */
export function readCases(archive: Uint8Array): OnnxCase[] {
  const cases = new Map<string, OnnxCase>();
  for (const [path, bytes] of readTar(gunzipSync(archive))) {
    const [folder, name, part, file] = path.split("/");
    if (folder !== "node" || name === undefined || part === undefined) continue;
    const found = cases.get(name) ?? { name, model: new Uint8Array(), inputs: [], outputs: [] };
    cases.set(name, found);
    if (part === "model.onnx") found.model = bytes;
    const data = /^(input|output)_(\d+)\.pb$/.exec(file ?? "");
    if (part === "test_data_set_0" && data !== null)
      (data[1] === "input" ? found.inputs : found.outputs)[Number(data[2])] = bytes;
  }
  return [...cases.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function* readTar(bytes: Uint8Array): Generator<[string, Uint8Array]> {
  const text = (from: number, length: number) =>
    new TextDecoder().decode(bytes.subarray(from, from + length)).replace(/\0.*$/s, "");
  let long: string | undefined;
  for (let at = 0; at + 512 <= bytes.length; ) {
    const name = text(at, 100);
    if (name === "") return;
    const prefix = text(at + 345, 155);
    const size = Number.parseInt(text(at + 124, 12).trim() || "0", 8);
    const kind = text(at + 156, 1);
    // Names of more than 100 letters come before their file, in GNU's way or in POSIX's.
    if (kind === "L") long = text(at + 512, size);
    else if (kind === "x") long = /\d+ path=(.*)\n/.exec(text(at + 512, size))?.[1];
    else {
      const path = long ?? (prefix === "" ? name : `${prefix}/${name}`);
      long = undefined;
      if (kind !== "5") yield [path, bytes.subarray(at + 512, at + 512 + size)];
    }
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

export type Verdict = "passed" | "failed" | "refused" | "skipped";

export interface Judged {
  name: string;
  verdict: Verdict;
  why: string;
}

/** What stands for "not claimed": by the reader's own words. */
const notClaimed = [
  "onnx/unclaimed",
  "onnx/dtype",
  "onnx/operator",
  "onnx/data-shape",
  "onnx/version",
];

/** Reader → float64 reference and reader → lowering → ONNX Runtime, both against what ONNX expects. */
export async function judge(one: OnnxCase, backend: Backend): Promise<Judged> {
  const say = (verdict: Verdict, why: string) => ({ name: one.name, verdict, why });
  let feeds: Record<string, Tensor>;
  let wanted: Tensor[];
  const { graph } = readModel(one.model);
  const ports = fedInputs(graph!);
  try {
    const tensors = one.inputs.map((bytes) => readTensor(readTensorProto(bytes)));
    const named = ports.filter(({ name }) => name !== "");
    feeds = Object.fromEntries(tensors.map((value, i) => [named[i]!.name, value]));
    wanted = one.outputs.map((bytes) => readTensor(readTensorProto(bytes)));
  } catch (error) {
    return say("skipped", `data: ${(error as Error).message}`);
  }
  try {
    const model = await readAnyhow(one.model, feeds, backend);
    if (model.untouched.length > 0) return say("skipped", `untouched: ${model.untouched[0]!.op}`);
    const left = Object.fromEntries(model.inputs.map(({ name }) => [name!, feeds[name!]!]));
    const outputs = Object.values(model.outputs);
    const renamed = Object.fromEntries(outputs.map((value, i) => [`result ${i}`, value]));
    const found = Object.values(interpret(renamed, left));
    for (const [i, value] of found.entries()) {
      // A float64 quotient may fall on the other side of a half than ONNX's float32 one.
      const gap = difference(value, wanted[i]!, /quantize/i.test(one.name) ? 1 : 0);
      if (gap !== undefined) return say("failed", `reference, output ${i}: ${gap}`);
    }
    const made: Program = program({ inputs: model.inputs, outputs: renamed });
    const executable = await backend.compile(made);
    const ran = await executable.run(left);
    await executable.release();
    for (const [i, value] of Object.values(ran).entries()) {
      const gap = difference(value, wanted[i]!);
      if (gap !== undefined) return say("failed", `ONNX Runtime, output ${i}: ${gap}`);
    }
    return say("passed", "");
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = isError(error) ? error.code : "";
    const why = `${code} ${error.message}`;
    if (notClaimed.includes(code)) return say("skipped", why);
    return say(code === "onnx/refused" || code === "onnx/dynamic" ? "refused" : "failed", why);
  }
}

/** Shapes that the cases feed are baked in where they have to be known beforehand. */
async function readAnyhow(
  bytes: Uint8Array,
  feeds: Record<string, Tensor>,
  backend: Backend,
): Promise<OnnxModel> {
  const shapes = (held: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(feeds)
        .filter(([name]) => held[name] === undefined)
        .map(([name, { shape }]) => [name, shape]),
    );
  const whole = Object.entries(feeds).filter(
    ([, { dtype, shape }], i) => i > 0 && shape.length < 2 && /int|bool/.test(dtype),
  );
  const names = Object.keys(feeds);
  const last = Object.entries(feeds).filter(([name]) => name !== names[0]);
  const tries = [[], whole, last, Object.entries(feeds)];
  for (const [i, held] of tries.entries())
    try {
      const constants = Object.fromEntries(held);
      return await readOnnx(bytes, { shapes: shapes(constants), constants, backend });
    } catch (error) {
      if (i + 1 === tries.length || !isError(error, "onnx/dynamic")) throw error;
    }
  throw new Error("unreachable");
}

/**
 * ONNX's tolerance: 1e-3 · |wanted| + 1e-7, the latter times the largest number that is wanted: the
 * expected numbers were made in float32. Whole numbers are equal.
 */
function difference(got: Tensor, wanted: Tensor, steps = 0): string | undefined {
  if (got.shape.join() !== wanted.shape.join())
    return `shape [${got.shape}], wanted [${wanted.shape}]`;
  const plain = ({ dtype, data, shape }: Tensor) =>
    Array.from(
      (dtype.endsWith("float16") ? toFloat32({ dtype, data, shape }).data : data) as ArrayLike<
        number | bigint
      >,
      Number,
    );
  const [ours, theirs] = [plain(got), plain(wanted)];
  const real = wanted.dtype.startsWith("float") || wanted.dtype.startsWith("bfloat");
  const half = wanted.dtype.endsWith("float16");
  const size = theirs.reduce(
    (top, y) => (Number.isFinite(y) ? Math.max(top, Math.abs(y)) : top),
    1,
  );
  for (const [i, x] of ours.entries()) {
    const y = theirs[i]!;
    if (Object.is(x, y) || x === y) continue;
    const limit = real ? (half ? 1e-3 : 1e-7) * size + 1e-3 * Math.abs(y) : steps;
    if (!(Math.abs(x - y) <= limit)) return `[${i}] is ${x}, wanted ${y}`;
  }
  return undefined;
}
