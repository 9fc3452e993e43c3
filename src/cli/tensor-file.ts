// How is a tensor named on the command line: a JSON list, a NumPy file, or one of a .safetensors?
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { check, fail } from "../base/errors.ts";
import { readSafetensor, readSafetensorsHeader } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import type { Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import { f32, sizeOf, type Tensor } from "../tensor/tensor.ts";

/** `FILE.json`, `FILE.npy` or `FILE.safetensors`, with `#TENSOR` where it has several. */
export async function readTensorFile(named: string): Promise<Tensor<"float32">> {
  const [path, tensor] = named.split("#") as [string, string?];
  if (path.endsWith(".npy")) return readNpy(await bytesOf(path), path);
  if (!path.endsWith(".safetensors")) {
    const values = await readNumbers(path);
    return f32([values.length], Float32Array.from(values));
  }
  const at = await findTensor(path, tensor);
  const header = await readSafetensorsHeader(at.store, at.file);
  const found = await readSafetensor(at.store, at.file, header, at.tensor);
  return f32(found.shape, toFloat32(found).data);
}

/** Which tensor of a file is meant. Errors: `option/unknown` where it has several and none is named. */
export async function findTensor(
  path: string,
  tensor: string | undefined,
): Promise<{ store: Store; file: string; tensor: string }> {
  const store = folderStore(dirname(resolve(path)));
  const file = basename(path);
  const names = [...(await readSafetensorsHeader(store, file)).entries.keys()];
  const one = tensor !== undefined || names.length === 1;
  check(one, "option/unknown", "the file has several tensors", {
    where: path,
    got: names.slice(0, 8).join(", "),
    wanted: `${path}#${names[0]}`,
  });
  return { store, file, tensor: tensor ?? names[0]! };
}

/** A JSON list of numbers. */
export async function readNumbers(path: string): Promise<number[]> {
  const text = await textOf(path);
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    fail("option/unknown", "a direction is a JSON list of numbers, or a .safetensors", {
      where: path,
      cause,
    });
  }
  const isList = Array.isArray(values) && values.length > 0 && values.every(Number.isFinite);
  check(isList, "option/unknown", "this is not a list of numbers", { where: path });
  return values as number[];
}

export function textOf(path: string): Promise<string> {
  return bytesOf(path).then((bytes) => new TextDecoder().decode(bytes));
}

function bytesOf(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause) =>
    fail("storage/missing", "this file cannot be read", { where: path, cause }),
  );
}

/** NumPy's format, version 1 to 3: little-endian float32 or float64, or bytes, in C order. */
export function readNpy(bytes: Uint8Array, where: string): Tensor<"float32"> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = bytes.length > 12 && String.fromCharCode(...bytes.subarray(1, 6)) === "NUMPY";
  check(starts, "format/npy", "this is not a NumPy file", { where });
  const [at, length] =
    bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder().decode(bytes.subarray(at, at + length));
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const inOrder = /'fortran_order':\s*False/.test(header);
  const sides = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  const width = { "<f4": 4, "<f8": 8, "|u1": 1 }[type ?? ""];
  check(width && inOrder && sides !== undefined, "format/npy", "this array cannot be read", {
    where,
    got: header.slice(0, 200).trim(),
    wanted: "float32, float64 or uint8, in C order",
  });
  const shape = sides.split(",").flatMap((side) => (side.trim() === "" ? [] : [Number(side)]));
  const n = sizeOf(shape);
  const from = at + length;
  check(bytes.length - from === n * width, "format/npy", "the file is cut short, or longer", {
    where,
    got: bytes.length - from,
    wanted: n * width,
  });
  const number = (i: number): number => {
    if (width === 1) return bytes[from + i]!;
    const place = from + i * width;
    return width === 4 ? view.getFloat32(place, true) : view.getFloat64(place, true);
  };
  return f32(
    shape,
    Float32Array.from({ length: n }, (_, i) => number(i)),
  );
}
