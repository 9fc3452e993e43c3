// The tensors of a GGUF file by name, and its metadata.
import { check, fail } from "../../base/errors.ts";
import { ggufPart, partKeys } from "../../storage/gguf-files.ts";
import type { Store } from "../../storage/store.ts";
import { blockTypes, widenBlocks } from "../../tensor/quantized.ts";
import { sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { openSource, parsePrefix } from "../cursor.ts";
import { decodeStored, isPlain, storedTypes } from "../stored.ts";
import { entryOf, type TensorEntry, type TensorFile } from "../tensor-file.ts";
import { type GgufHead, type GgufInfo, type GgufValue, parseHead } from "./metadata.ts";

export interface GgufFile extends TensorFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

export interface GgufOptions {
  /**
   * Blocks of fewer than 8 bits are other weights than those that were trained: `read` refuses
   * them with `format/gguf-blocks` unless they are asked for. `entry.stored` says what they were.
   */
  blocks?: "refuse" | "read";
}

// Number of the type → name; those without a reader are there to be named in the refusal.
const types: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  30: "BF16",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

interface Placed extends TensorEntry {
  readonly start: number;
  readonly end: number;
}

/**
 * GGUF 2 and 3; of a model that was split, any part stands for all. `ne` of the file counts the
 * fastest axis first: a matrix [rows, columns] stands there as (columns, rows). Shapes here are
 * row-major, as everywhere else: the reverse of `ne`.
 */
export async function openGguf(
  store: Store,
  key: string,
  options: GgufOptions = {},
): Promise<GgufFile> {
  const file = await openPart(store, key, options);
  const count = Number(file.metadata.get("split.count") ?? 1);
  return count <= 1 ? file : openParts(store, { key, count, file }, options);
}

/** The metadata of the first, the tensors of all. */
async function openParts(
  store: Store,
  { key, count, file }: { key: string; count: number; file: GgufFile },
  options: GgufOptions,
): Promise<GgufFile> {
  const part = ggufPart(key);
  const where = file.where;
  if (part === undefined || part.count !== count)
    return fail("format/gguf-split", "one of several files, whose name does not say of which", {
      where,
      got: key,
      wanted: `…-00001-of-${String(count).padStart(5, "0")}.gguf, as they were split`,
    });
  const keys = partKeys(part);
  const sizes = await Promise.all(keys.map((one) => store.size(one)));
  const missing = keys.filter((_, i) => sizes[i] === undefined);
  check(missing.length === 0, "format/gguf-split", "the model was split, and parts are missing", {
    where,
    got: missing.join(", "),
    wanted: `${count} files`,
  });
  const parts: GgufFile[] = [];
  const owners = new Map<string, GgufFile>();
  for (const [i, one] of keys.entries()) {
    const opened = i === part.no ? file : await openPart(store, one, options);
    const [no, of] = ["split.no", "split.count"].map((name) => Number(opened.metadata.get(name)));
    check(no === i && of === count, "format/gguf-split", "this is another part than it is named", {
      where: opened.where,
      got: `part ${no! + 1} of ${of}`,
      wanted: `part ${i + 1} of ${count}`,
    });
    for (const name of opened.entries.keys()) {
      check(!owners.has(name), "format/gguf-tensor", "two parts have a tensor of one name", {
        where: `${opened.where}: ${name}`,
      });
      owners.set(name, opened);
    }
    parts.push(opened);
  }
  const promised = Number(parts[0]!.metadata.get("split.tensors.count") ?? owners.size);
  check(promised === owners.size, "format/gguf-split", "the parts hold another number of tensors", {
    where,
    got: owners.size,
    wanted: promised,
  });
  return Object.freeze({
    ...parts[0]!,
    files: new Map(parts.flatMap(({ files }) => [...files])),
    entries: new Map(parts.flatMap(({ entries }) => [...entries])),
    read: async (name: string) => entryOf(owners, name, where).read(name),
  });
}

async function openPart(
  store: Store,
  key: string,
  { blocks = "refuse" }: GgufOptions,
): Promise<GgufFile> {
  const source = await openSource(store, key);
  const head = await parsePrefix(source, "format/gguf", parseHead);
  const entries = new Map<string, Placed>();
  for (const info of head.tensors) {
    const where = `${source.where}: ${info.name}`;
    check(!entries.has(info.name), "format/gguf-tensor", "two tensors have one name", { where });
    entries.set(info.name, place(info, head, { size: source.size, where, key }));
  }
  return Object.freeze({
    format: "gguf",
    where: source.where,
    files: new Map([[key, source.size]]),
    version: head.version,
    metadata: head.metadata,
    entries,
    async read(name: string): Promise<Tensor> {
      const { stored, shape, start, end } = entryOf(entries, name, source.where);
      const type = blockTypes[stored];
      if (type !== undefined && type.bits < 8 && blocks === "refuse")
        fail(
          "format/gguf-blocks",
          `${stored} holds ${type.bits}-bit blocks, not the weights that were trained`,
          {
            where: `${source.where}: ${name}`,
            got: stored,
            wanted: "F32, F16, BF16 or Q8_0",
            hint: "take the F16 or Q8_0 file of this model, or ask for the blocks",
          },
        );
      const bytes = await source.read(start, end);
      if (type === undefined) return decodeStored(stored, shape, bytes);
      return tensor("float32", shape, widenBlocks(stored, bytes));
    },
  });
}

function place(
  { name, type, dims, offset }: GgufInfo,
  { dataStart, alignment }: GgufHead,
  { size, where, key }: { size: number; where: string; key: string },
): Placed {
  const stored = types[type] ?? `type ${type}`;
  const block = blockTypes[stored];
  const plain = block === undefined ? storedTypes[stored] : undefined;
  if (block === undefined && plain === undefined)
    return fail("format/gguf-dtype", "tensors of this type are not read", {
      where,
      got: stored,
      wanted: Object.keys(blockTypes).concat("F32", "F16", "BF16", "F64").join(", "),
    });
  const shape = Object.freeze([...dims].reverse());
  const elements = sizeOf(shape);
  const fastest = dims[0] ?? 1;
  check(
    block === undefined || fastest % block.size === 0,
    "format/gguf-tensor",
    "rows are not whole blocks",
    { where, got: fastest, wanted: `a multiple of ${block?.size}` },
  );
  const length =
    block === undefined ? elements * plain!.bytes : (elements / block.size) * block.bytes;
  const start = dataStart + offset;
  const end = start + length;
  check(offset % alignment === 0, "format/gguf-tensor", "the tensor is not aligned", {
    where,
    got: offset,
    wanted: `a multiple of ${alignment}`,
  });
  check(end <= size, "format/gguf-length", "the tensor runs past the end of the file", {
    where,
    got: `bytes ${start} to ${end}`,
    wanted: `at most ${size}`,
    hint: "the download may be incomplete",
  });
  return Object.freeze({
    name,
    stored,
    dtype: plain?.as ?? "float32",
    shape,
    file: key,
    ...(plain !== undefined && isPlain(stored) && { range: Object.freeze([start, end] as const) }),
    start,
    end,
  });
}
