// What numbers an ONNX tensor holds: raw bytes, typed fields, or a place in another file.
import { check, fail } from "../../base/errors.ts";
import {
  allocate,
  bytesPerElement,
  type DType,
  filled,
  type Tensor,
  tensor,
} from "../../tensor/tensor.ts";
import { type TensorProto, TensorProto_DataLocation, TensorProto_DataType } from "./onnx_pb.ts";

/** Names of element types; those of our own dtypes are ours. */
export const elementNames: Readonly<Record<number, string>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
};

export function elementName(type: number): string {
  return elementNames[type] ?? `type ${type}`;
}

/** Our dtype of an element type, where we have one. */
export function dtypeOfElement(type: number): DType | undefined {
  const name = elementNames[type] ?? "";
  return name in bytesPerElement ? (name as DType) : undefined;
}

export interface ExternalPlace {
  /** Relative to the folder of the model. */
  readonly location: string;
  readonly offset: number;
  /** To the end of the file when left out. */
  readonly length?: number;
}

/** Where the bytes lie, when they are not in the model; a path that leaves its folder is refused. */
export function externalPlace(proto: TensorProto): ExternalPlace | undefined {
  if (proto.dataLocation !== TensorProto_DataLocation.EXTERNAL) return undefined;
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = (entries.get("location") ?? "").replace(/^\.\//, "");
  const safe =
    location !== "" &&
    !/^[\\/]|^[A-Za-z]:|\\|\0/.test(location) &&
    location.split("/").every((part) => part !== ".." && part !== "." && part !== "");
  check(safe, "onnx/external-path", "an initializer lies outside the folder of the model", {
    where: proto.name,
    got: location,
    wanted: "a path below that folder",
  });
  const number = (key: string) => {
    const text = entries.get(key);
    if (text === undefined || text === "") return undefined;
    const n = Number(text);
    check(Number.isSafeInteger(n) && n >= 0, "onnx/external", `${key} of external data is odd`, {
      where: proto.name,
      got: text,
      wanted: "a whole number of bytes",
    });
    return n;
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

/** Dimensions as numbers; refuses what no memory holds. */
export function dimsOf(proto: TensorProto): number[] {
  const shape = proto.dims.map(Number);
  const size = shape.reduce((n, m) => n * m, 1);
  check(
    shape.every((n) => n >= 0) && Number.isSafeInteger(size),
    "onnx/dims",
    "an initializer has impossible dimensions",
    { where: proto.name, got: `[${shape.join(", ")}]`, wanted: "non-negative dimensions" },
  );
  return shape;
}

/** The numbers of a tensor; `bytes` stands for those that lie in another file. */
export function readTensor(proto: TensorProto, bytes?: Uint8Array): Tensor {
  const dtype = dtypeOfElement(proto.dataType);
  if (dtype === undefined)
    fail("onnx/dtype", `a tensor of ${elementName(proto.dataType)} has no dtype of ours`, {
      where: proto.name,
      got: elementName(proto.dataType),
      wanted: Object.keys(bytesPerElement).join(", "),
    });
  const shape = dimsOf(proto);
  const size = shape.reduce((n, m) => n * m, 1);
  const raw = bytes ?? (proto.rawData.length > 0 ? proto.rawData : undefined);
  if (raw === undefined) return tensor(dtype, shape, typedField(proto, dtype, size));
  const wanted = size * bytesPerElement[dtype];
  check(raw.length === wanted, "onnx/tensor-size", "data and dimensions of a tensor disagree", {
    where: proto.name,
    got: `${raw.length} bytes`,
    wanted: `${wanted} bytes for ${dtype} [${shape.join(", ")}]`,
  });
  const data = allocate(dtype, size);
  new Uint8Array(data.buffer).set(raw);
  return tensor(dtype, shape, data);
}

/** Small types share a field with int32: ONNX's schema says which. */
function typedField(proto: TensorProto, dtype: DType, size: number) {
  const { FLOAT, DOUBLE, INT64 } = TensorProto_DataType;
  const field: ArrayLike<number | bigint> =
    proto.dataType === FLOAT
      ? proto.floatData
      : proto.dataType === DOUBLE
        ? proto.doubleData
        : proto.dataType === INT64
          ? proto.int64Data
          : proto.int32Data;
  check(field.length === size, "onnx/tensor-size", "data and dimensions of a tensor disagree", {
    where: proto.name,
    got: `${field.length} elements`,
    wanted: `${size} for ${dtype}`,
  });
  return filled(dtype, size, (i) => field[i]!);
}
