// What an edit of numbers does to the weights: entries, low-rank updates, rows, heads, neurons, files.
import { check, fail } from "../../base/errors.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import type { Store } from "../../storage/store.ts";
import { toFloat32 } from "../../tensor/half.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { type Draft, hashTensor } from "./draft.ts";
import type { NumberEdit } from "./edit.ts";

type Of<K extends NumberEdit["kind"]> = Extract<NumberEdit, { kind: K }>;

/** Errors: `edit/weight`, `edit/index`, `edit/shape`, `edit/file`. */
export async function applyNumbers(draft: Draft, edit: NumberEdit, store?: Store): Promise<void> {
  switch (edit.kind) {
    case "set":
      return setEntries(await draft.own(edit.weight), edit);
    case "lowRank":
      return addLowRank(await draft.own(edit.weight), edit);
    case "scale":
      return scaleSlice(await draft.own(edit.weight), edit.weight, edit);
    case "zeroHead":
      return zeroSlice(draft, `blocks.${edit.layer}.attn.W_O`, edit.head);
    case "zeroNeuron":
      return zeroSlice(draft, `blocks.${edit.layer}.mlp.W_out`, edit.neuron);
    case "replace":
      return replaceTensor(draft, edit, store);
  }
}

function setEntries({ shape, data }: Tensor<"float32">, { weight, at, values }: Of<"set">): void {
  check(at.length === values.length, "edit/shape", "as many places as values", {
    where: weight,
    got: `${at.length} places, ${values.length} values`,
  });
  at.forEach((index, i) => {
    check(index.length === shape.length, "edit/index", "a place needs an index for each axis", {
      where: weight,
      got: index.join(", "),
      wanted: `${shape.length} numbers within [${shape.join(", ")}]`,
    });
    const flat = index.reduce((sum, x, axis) => {
      checkIndex(weight, shape, axis, x);
      return sum * shape[axis]! + x;
    }, 0);
    data[flat] = values[i]!;
  });
}

function addLowRank({ shape, data }: Tensor<"float32">, edit: Of<"lowRank">): void {
  const { weight, head, left, right, scale } = edit;
  const rank = shape.length;
  check(rank >= 2 && rank - 2 === (head === undefined ? 0 : 1), "edit/shape", "not a matrix", {
    where: weight,
    got: `[${shape.join(", ")}]${head === undefined ? "" : `, head ${head}`}`,
    wanted: "a matrix, or a stack of them and which head",
  });
  if (head !== undefined) checkIndex(weight, shape, 0, head);
  const [rows, columns] = shape.slice(-2) as [number, number];
  check(left.length > 0 && left.length === right.length, "edit/shape", "left and right disagree", {
    where: weight,
    got: `${left.length} left, ${right.length} right`,
    wanted: "one pair of vectors for each rank",
  });
  const odd = left.some((u) => u.length !== rows) || right.some((v) => v.length !== columns);
  check(!odd, "edit/shape", "the vectors do not fit the weight", {
    where: weight,
    got: left.map((u, r) => `${u.length} × ${right[r]!.length}`).join(", "),
    wanted: `${rows} × ${columns}`,
  });
  const from = (head ?? 0) * rows * columns;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      // In float64 and rounded once, so that the order of a rank's terms matters least.
      let sum = 0;
      for (let r = 0; r < left.length; r++) sum += left[r]![i]! * right[r]![j]!;
      data[from + i * columns + j]! += scale * sum;
    }
}

function scaleSlice(
  { shape, data }: Tensor<"float32">,
  weight: string,
  { axis, index, by }: { axis: number; index: number; by: number },
): void {
  check(axis < shape.length, "edit/index", `there is no axis ${axis}`, {
    where: weight,
    got: `[${shape.join(", ")}]`,
  });
  checkIndex(weight, shape, axis, index);
  const inner = sizeOf(shape.slice(axis + 1));
  const stride = shape[axis]! * inner;
  for (let start = index * inner; start < data.length; start += stride)
    // Zeros are written, not multiplied: what was −1 must not become −0.
    for (let i = start; i < start + inner; i++) data[i] = by === 0 ? 0 : data[i]! * by;
}

async function zeroSlice(draft: Draft, weight: string, index: number): Promise<void> {
  scaleSlice(await draft.own(weight), weight, { axis: 0, index, by: 0 });
}

async function replaceTensor(
  draft: Draft,
  { weight, file, tensor, sha256 }: Of<"replace">,
  store: Store | undefined,
): Promise<void> {
  if (store === undefined)
    fail("edit/file", "this edit takes a tensor out of a file, and no store was given", {
      where: weight,
      got: file,
      hint: "give the store that holds the file",
    });
  const { shape } = await draft.read(weight);
  const { tensors } = await readSafetensors(store, file);
  const found = tensors[tensor];
  if (found === undefined)
    fail("edit/file", "the file has no such tensor", {
      where: `${store.name}/${file}`,
      got: tensor,
      wanted: Object.keys(tensors).slice(0, 8).join(", "),
    });
  check(found.shape.join() === shape.join(), "edit/shape", "the tensor has another shape", {
    where: weight,
    got: `[${found.shape.join(", ")}]`,
    wanted: `[${shape.join(", ")}]`,
  });
  const wide = toFloat32(found);
  const hash = hashTensor(wide);
  check(hash === sha256, "edit/file", "the tensor is not the one that the edit was made with", {
    where: `${store.name}/${file}: ${tensor}`,
    got: hash,
    wanted: sha256,
  });
  draft.put(weight, wide);
}

function checkIndex(weight: string, shape: readonly number[], axis: number, index: number): void {
  check(index < shape[axis]!, "edit/index", "outside the weight", {
    where: weight,
    got: `${index} on axis ${axis}`,
    wanted: `0 to ${shape[axis]! - 1}`,
  });
}
