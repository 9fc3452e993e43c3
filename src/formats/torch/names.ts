// What may a PyTorch checkpoint name? This table, and nothing else.
import { check, fail } from "../../base/errors.ts";
import { isNamed, type Named, type Names, type Pickled } from "./pickle.ts";

/** Bytes outside the pickle, by key. */
export interface StorageRef {
  readonly kind: "storage";
  readonly key: string;
  /** By the names of safetensors; undefined for untyped bytes. */
  readonly stored: string | undefined;
  /** Elements; bytes when untyped. */
  readonly numel: number;
  /** Elements before the first, in a view of an older file. */
  readonly skip: number;
}

/** A view of a storage. */
export interface TensorRef {
  readonly kind: "tensor";
  readonly storage: StorageRef;
  readonly stored: string;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

const storages: Readonly<Record<string, string>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const dtypes: Readonly<Record<string, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
  uint16: "U16",
  uint32: "U32",
};

/** dtypes and storages that PyTorch has and we do not: named in the refusal. */
const unread =
  /^(c?float8|float4|float6|complex|q?u?int\d|quint|qint|bits|Complex|Q(U?)Int|uint64)/;

const calls: Readonly<Record<string, (args: readonly Pickled[], where: string) => Pickled>> = {
  "collections.OrderedDict": orderedDict,
  "torch.Size": ([sizes], where) => Object.freeze([...counts(sizes, where)]),
  "torch._utils._rebuild_tensor": ([storage, offset, size, stride], where) =>
    tensorRef(storage, offset, size, stride, where),
  "torch._utils._rebuild_tensor_v2": ([storage, offset, size, stride], where) =>
    tensorRef(storage, offset, size, stride, where),
  "torch._utils._rebuild_tensor_v3": ([storage, offset, size, stride, , , dtype], where) =>
    tensorRef(storage, offset, size, stride, where, dtype),
  "torch._utils._rebuild_parameter": ([data], where) =>
    isTensor(data) ? data : wrong("a parameter is no tensor", where),
};

/** The names that a file at `where` may use. `persistent` turns ids into storages. */
export function torchNames(where: string): Names {
  return {
    find: (module, name) => findName(module, name, where),
    persistent: (id) => storageRef(id, where),
  };
}

function findName(module: string, name: string, where: string): Named {
  const full = `${module}.${name}`;
  if (Object.hasOwn(calls, full))
    return Object.freeze({
      kind: "name",
      name: full,
      call: (args: readonly Pickled[]) => calls[full]!(args, where),
    });
  if (module === "torch" && (Object.hasOwn(storages, name) || Object.hasOwn(dtypes, name)))
    return Object.freeze({ kind: "name", name: full });
  if (full === "torch.storage.UntypedStorage") return Object.freeze({ kind: "name", name: full });
  if (module === "torch" && unread.test(name))
    return fail("format/torch-dtype", "tensors of this type are not read", { where, got: full });
  return fail("format/torch-call", `the file asks Python for ${full}: refused, nothing was run`, {
    where,
    got: full,
    wanted: "tensors, dicts, lists, numbers and texts",
    hint: "save the state dict only (model.state_dict()), or convert the file to safetensors",
  });
}

function wrong(what: string, where: string, got?: unknown): never {
  return fail("format/torch-tensor", `a tensor is wrongly described: ${what}`, { where, got });
}

function orderedDict([items]: readonly Pickled[], where: string): Pickled {
  const made = new Map<Pickled, Pickled>();
  if (items === undefined) return made;
  if (!Array.isArray(items)) return wrong("an OrderedDict of no list", where);
  for (const item of items) {
    if (!Array.isArray(item) || item.length !== 2) return wrong("an item is no pair", where);
    made.set(item[0], item[1]);
  }
  return made;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: Pickled | undefined, where: string): readonly number[] {
  if (Array.isArray(value) && value.length <= 64 && value.every(isCount)) return value;
  return wrong("sizes and strides are lists of whole numbers", where);
}

export function isTensor(value: Pickled | undefined): value is TensorRef {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "tensor";
}

function isStorage(value: Pickled | undefined): value is StorageRef {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "storage";
}

/** ('storage', type, key, location, numel[, (view key, offset, view numel)]) */
function storageRef(id: Pickled, where: string): StorageRef {
  if (!Array.isArray(id) || id[0] !== "storage" || (id.length !== 5 && id.length !== 6))
    return wrong("a reference to no storage", where);
  const [, type, key, , numel, view] = id as readonly Pickled[];
  if (!isNamed(type) || typeof key !== "string" || !isCount(numel))
    return wrong("a reference to no storage", where);
  const short = type.name.slice("torch.".length);
  const untyped = type.name === "torch.storage.UntypedStorage";
  check(untyped || Object.hasOwn(storages, short), "format/torch-tensor", "not a storage type", {
    where,
    got: type.name,
  });
  const stored = untyped ? undefined : storages[short];
  if (view === undefined || view === null)
    return Object.freeze({ kind: "storage", key, stored, numel, skip: 0 });
  if (!Array.isArray(view) || view.length !== 3 || !isCount(view[1]))
    return wrong("a storage's view", where);
  return Object.freeze({ kind: "storage", key, stored, numel, skip: view[1] });
}

function tensorRef(
  storage: Pickled | undefined,
  offset: Pickled | undefined,
  size: Pickled | undefined,
  strides: Pickled | undefined,
  where: string,
  dtype?: Pickled,
): TensorRef {
  if (!isStorage(storage)) return wrong("it has no storage", where);
  if (!isCount(offset)) return wrong("its offset", where, offset);
  const [shape, stride] = [counts(size, where), counts(strides, where)];
  if (shape.length !== stride.length) return wrong("sizes and strides disagree", where);
  const named = isNamed(dtype) ? dtypes[dtype.name.slice("torch.".length)] : undefined;
  if (dtype !== undefined && named === undefined) return wrong("its dtype", where);
  const stored = named ?? storage.stored;
  if (stored === undefined) return wrong("it has no dtype", where);
  return Object.freeze({
    kind: "tensor",
    storage,
    stored,
    offset: offset + storage.skip,
    shape: Object.freeze([...shape]),
    stride: Object.freeze([...stride]),
  });
}
