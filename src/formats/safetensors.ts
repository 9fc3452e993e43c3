// What a safetensors file holds, read by position, and how one is written.
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { Store } from "../storage/store.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { decodeStored, storedTypes, viewOf } from "./stored.ts";

/** One tensor of a file: `start` and `end` are byte positions in the file itself. */
export interface SafetensorsEntry {
  readonly name: string;
  /** As the file writes it: F32, BF16, I64, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation's limit: a header is names and shapes, not data. */
const maxHeaderBytes = 100_000_000;

const written: Record<DType, string> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  uint8: "U8",
  bool: "BOOL",
};

/** Reads the header only. Refuses whatever the format forbids, with `format/safetensors-*`. */
export async function readSafetensorsHeader(store: Store, key: string): Promise<SafetensorsHeader> {
  const where = `${store.name}/${key}`;
  const size = await store.size(key);
  if (size === undefined) fail("storage/missing", `no such file: ${key}`, { where: store.name });
  check(size >= 8, "format/safetensors-length", "too short to be a safetensors file", {
    where,
    got: `${size} bytes`,
    wanted: "8 bytes of header length, then the header",
  });
  const first = await store.getRange(key, 0, 8);
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  check(length <= maxHeaderBytes, "format/safetensors-length", "the header is too large", {
    where,
    got: `${length} bytes`,
    wanted: `at most ${maxHeaderBytes}`,
    hint: "is this a safetensors file?",
  });
  check(
    8 + length <= size,
    "format/safetensors-length",
    "the header runs past the end of the file",
    {
      where,
      got: `8 + ${length} bytes`,
      wanted: `at most ${size}`,
      hint: "the download may be incomplete",
    },
  );
  return parseSafetensorsHeader(await store.getRange(key, 8, 8 + length), { size, where });
}

/** The header's JSON bytes (without the length) → entries. `size` is the length of the whole file. */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  { size, where }: { size: number; where: string },
): SafetensorsHeader {
  const dataStart = 8 + bytes.length;
  let json: unknown;
  try {
    json = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    fail("format/safetensors-json", "the header is not JSON", { where, cause });
  }
  check(isRecord(json), "format/safetensors-json", "the header is not a JSON object", { where });

  const metadata: Record<string, string> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") {
      check(isRecord(value), "format/safetensors-json", "__metadata__ is not an object", { where });
      for (const [k, v] of Object.entries(value)) {
        check(typeof v === "string", "format/safetensors-json", "metadata values are strings", {
          where: `${where}: __metadata__.${k}`,
          got: v,
        });
        metadata[k] = v;
      }
    } else entries.push(parseEntry(name, value, { size, where: `${where}: ${name}`, dataStart }));
  }

  // As the reference demands: no overlap, no hole, nothing after the last tensor.
  let at = dataStart;
  for (const entry of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    check(entry.start === at, "format/safetensors-layout", "tensors overlap or leave a hole", {
      where: `${where}: ${entry.name}`,
      got: `starts at byte ${entry.start - dataStart}`,
      wanted: `byte ${at - dataStart}`,
    });
    at = entry.end;
  }
  check(at === size, "format/safetensors-layout", "the file does not end with its last tensor", {
    where,
    got: `${size} bytes`,
    wanted: `${at} bytes`,
  });
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function parseEntry(
  name: string,
  value: unknown,
  { size, where, dataStart }: { size: number; where: string; dataStart: number },
): SafetensorsEntry {
  check(isRecord(value), "format/safetensors-entry", "the entry is not an object", { where });
  const { dtype, shape, data_offsets: offsets } = value;
  const type =
    typeof dtype === "string" && Object.hasOwn(storedTypes, dtype) ? storedTypes[dtype] : undefined;
  check(type, "format/safetensors-dtype", "unknown element type", {
    where,
    got: dtype,
    wanted: Object.keys(storedTypes).join(", "),
  });
  check(isCounts(shape), "format/safetensors-entry", "the shape is not a list of sizes", {
    where,
    got: shape,
  });
  check(
    isCounts(offsets) && offsets.length === 2 && offsets[0]! <= offsets[1]!,
    "format/safetensors-entry",
    "data_offsets is not [start, end]",
    { where, got: offsets },
  );
  const [start, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  const wanted = shape.reduce((product, n) => product * n, type.bytes);
  check(end - start === wanted, "format/safetensors-entry", "shape and data_offsets disagree", {
    where,
    got: `${end - start} bytes`,
    wanted: `${dtype} [${shape.join(", ")}] = ${wanted} bytes`,
  });
  check(end <= size, "format/safetensors-layout", "the tensor runs past the end of the file", {
    where,
    got: `byte ${end}`,
    wanted: `at most ${size}`,
    hint: "the download may be incomplete",
  });
  return { name, dtype: dtype as string, shape, start, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** One tensor, in the file's type; small integer types come as int32, U32 as int64. */
export async function readSafetensor(
  store: Store,
  key: string,
  header: SafetensorsHeader,
  name: string,
): Promise<Tensor> {
  const entry = header.entries.get(name);
  if (entry === undefined)
    fail("format/safetensors-name", "the file has no such tensor", {
      where: `${store.name}/${key}`,
      got: name,
      wanted: [...header.entries.keys()].slice(0, 8).join(", "),
    });
  return decodeStored(entry.dtype, entry.shape, await store.getRange(key, entry.start, entry.end));
}

/** The whole file. */
export async function readSafetensors(
  store: Store,
  key: string,
): Promise<{ tensors: Record<string, Tensor>; metadata: Readonly<Record<string, string>> }> {
  const header = await readSafetensorsHeader(store, key);
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const name of header.entries.keys())
    tensors[name] = await readSafetensor(store, key, header, name);
  return { tensors, metadata: header.metadata };
}

/**
 * The bytes of a file whose tensors are still zero, and each tensor as a view into them: for data
 * that should not be held twice. Wide types come first, so that all are aligned.
 */
export function frameSafetensors(
  specs: Readonly<Record<string, { dtype: DType; shape: readonly number[] }>>,
  metadata: Readonly<Record<string, string>> = {},
): { bytes: Uint8Array; tensors: Record<string, Tensor> } {
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const ordered = Object.entries(specs).sort(
    ([, a], [, b]) => bytesPerElement[b.dtype] - bytesPerElement[a.dtype],
  );
  const places: [string, DType, readonly number[], number][] = [];
  let end = 0;
  for (const [name, { dtype, shape }] of ordered) {
    const start = end;
    end += sizeOf(shape) * bytesPerElement[dtype];
    header[name] = { dtype: written[dtype], shape, data_offsets: [start, end] };
    places.push([name, dtype, shape, start]);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end).fill(0x20, 8 + json.length, 8 + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const [name, dtype, shape, start] of places)
    tensors[name] = tensor(
      dtype,
      shape,
      viewOf(dtype, bytes.buffer, 8 + length + start, sizeOf(shape)),
    );
  return { bytes, tensors };
}

/** Tensors → the bytes of a file. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { bytes, tensors: views } = frameSafetensors(tensors, metadata);
  for (const [name, { data }] of Object.entries(tensors))
    (views[name]!.data as Float32Array).set(data as Float32Array);
  return bytes;
}

export async function writeSafetensors(
  store: Store,
  key: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await store.put(key, encodeSafetensors(tensors, metadata));
}
