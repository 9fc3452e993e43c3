// Whether what a program is fed fits what it declares.
import { check, fail } from "../base/errors.ts";
import type { Program } from "../graph/program.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Refuses missing, surplus and misshapen feeds, and outputs that would overwrite what is read. */
export function checkFeeds(program: Program, feeds: Tensors, into: Tensors): void {
  for (const spec of program.inputs) {
    const fed = feeds[spec.name];
    if (fed === undefined)
      fail("run/feeds", `the program's input ${spec.name} was not fed`, {
        got: Object.keys(feeds).join(", "),
        wanted: program.inputs.map(({ name }) => name).join(", "),
      });
    checkTensor("run/feeds", fed, spec);
  }
  const surplus = Object.keys(feeds).find((name) => !program.inputs.some((s) => s.name === name));
  check(surplus === undefined, "run/feeds", "the program has no such input", {
    got: surplus,
    wanted: program.inputs.map(({ name }) => name).join(", "),
  });
  const read = new Set(Object.values(feeds).map(({ data }) => data.buffer));
  for (const [name, target] of Object.entries(into)) {
    const spec = program.outputs.find((output) => output.name === name);
    if (spec === undefined)
      fail("run/into", "the program has no such output", {
        got: name,
        wanted: program.outputs.map((output) => output.name).join(", "),
      });
    checkTensor("run/into", target, spec);
    check(!read.has(target.data.buffer), "run/into", "an output would overwrite an input", {
      where: name,
      hint: "swap two buffers",
    });
  }
}

function checkTensor(code: string, got: Tensor, wanted: Omit<Tensor, "data"> & { name: string }) {
  const same =
    got.dtype === wanted.dtype &&
    got.shape.length === wanted.shape.length &&
    got.shape.every((n, i) => n === wanted.shape[i]);
  check(same, code, "a tensor does not fit the program", {
    where: wanted.name,
    got: `${got.dtype} [${got.shape.join(", ")}]`,
    wanted: `${wanted.dtype} [${wanted.shape.join(", ")}]`,
  });
}

/** For backends that cannot write in place: copies results into the tensors given for them. */
export function copyInto(results: Record<string, Tensor>, into: Tensors): Record<string, Tensor> {
  const out: Record<string, Tensor> = { ...results };
  for (const [name, target] of Object.entries(into)) {
    (target.data as Float32Array).set(results[name]!.data as Float32Array);
    out[name] = target;
  }
  return out;
}
