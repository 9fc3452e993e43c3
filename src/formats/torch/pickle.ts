// What value does a pickle build? Protocols 2 to 5, without ever running anything: whatever the file
// names is looked up in a table of ours. Opcodes: CPython's Lib/pickletools.py.
import { check, fail } from "../../base/errors.ts";
import type { Cursor } from "../cursor.ts";

/** Lists and tuples are arrays (tuples frozen), dicts are maps; the rest is what `Names` makes. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Pickled[]
  | ReadonlyMap<Pickled, Pickled>
  | Named
  | Opaque;

/** A name that the file imports. Without `call` it may be passed about, but not called. */
export interface Named {
  readonly kind: "name";
  readonly name: string;
  readonly call?: (args: readonly Pickled[]) => Pickled;
}

/** Anything that the caller of the unpickler makes: the unpickler only hands it on. */
export interface Opaque {
  readonly kind: "storage" | "tensor";
}

export interface Names {
  /** Refuses by throwing. */
  find(module: string, name: string): Named;
  /** A reference to something outside the pickle. */
  persistent(id: Pickled): Pickled;
}

const code = "format/torch";
/** A checkpoint has a few thousand; each costs memory beyond its byte in the file. */
const maxValues = 4_000_000;
const maxContainers = 1_000_000;
const none: readonly Pickled[] = Object.freeze([]);

interface Machine {
  readonly cursor: Cursor;
  readonly names: Names;
  readonly stack: Pickled[];
  readonly marks: number[];
  readonly memo: Map<number, Pickled>;
  values: number;
  containers: number;
}

/** Reads one pickle and leaves the cursor behind it. */
export function unpickle(cursor: Cursor, names: Names): Pickled {
  const stack: Pickled[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Pickled>();
  const machine: Machine = { cursor, names, stack, marks, memo, values: 0, containers: 0 };
  check(cursor.u8() === 0x80, `${code}-pickle`, "this is no pickle of protocol 2 to 5", {
    where: cursor.where,
    hint: "is this a PyTorch file?",
  });
  const protocol = cursor.u8();
  check(protocol >= 2 && protocol <= 5, `${code}-pickle`, "unknown pickle protocol", {
    where: cursor.where,
    got: protocol,
    wanted: "2 to 5",
  });
  for (;;) {
    const op = cursor.u8();
    if (op === 0x2e) break; // STOP
    step(machine, op);
  }
  if (stack.length !== 1 || marks.length !== 0) return broken(machine, "values are left over");
  return stack[0]!;
}

function broken({ cursor }: Machine, what: string, got?: unknown): never {
  return fail(`${code}-pickle`, `the pickle is broken: ${what}`, {
    where: `${cursor.where}: byte ${cursor.at() - 1}`,
    got,
  });
}

function push(machine: Machine, value: Pickled): void {
  if (++machine.values > maxValues) tooMany(machine, "values", maxValues);
  machine.stack.push(value);
}

function tooMany({ cursor }: Machine, what: string, limit: number): never {
  return fail(`${code}-size`, `the pickle builds more ${what} than a checkpoint has`, {
    where: cursor.where,
    wanted: `at most ${limit}`,
  });
}

function container<T>(machine: Machine, made: T): T {
  if (++machine.containers > maxContainers) tooMany(machine, "lists and dicts", maxContainers);
  return made;
}

function pop(machine: Machine): Pickled {
  const { stack, marks } = machine;
  if (stack.length <= (marks.at(-1) ?? 0)) broken(machine, "a value is missing");
  return stack.pop()!;
}

function top(machine: Machine): Pickled {
  const { stack, marks } = machine;
  if (stack.length <= (marks.at(-1) ?? 0)) broken(machine, "a value is missing");
  return stack.at(-1)!;
}

function popMark(machine: Machine): Pickled[] {
  const from = machine.marks.pop();
  return from === undefined ? broken(machine, "a mark is missing") : machine.stack.splice(from);
}

function tuple(machine: Machine, items: Pickled[]): void {
  push(machine, container(machine, Object.freeze(items)));
}

function popTuple(machine: Machine, n: number): void {
  const items = Array.from({ length: n }, () => pop(machine)).reverse();
  tuple(machine, items);
}

function append(machine: Machine, items: readonly Pickled[]): void {
  const list = top(machine);
  if (!Array.isArray(list) || Object.isFrozen(list)) broken(machine, "appends to no list");
  for (const item of items) list.push(item);
}

function setItems(machine: Machine, items: readonly Pickled[]): void {
  const dict = top(machine);
  if (!(dict instanceof Map)) broken(machine, "sets an item of no dict");
  if (items.length % 2 !== 0) broken(machine, "a key has no value");
  for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
}

function put(machine: Machine, index: number): void {
  machine.memo.set(index, top(machine));
  if (machine.memo.size > maxValues) tooMany(machine, "references", maxValues);
}

function get(machine: Machine, index: number): void {
  const value = machine.memo.get(index);
  push(machine, value === undefined ? broken(machine, "an unknown reference", index) : value);
}

function line({ cursor }: Machine): string {
  let text = "";
  for (let byte = cursor.u8(); byte !== 0x0a; byte = cursor.u8()) {
    if (text.length >= 256) fail(`${code}-pickle`, "a name is too long", { where: cursor.where });
    text += String.fromCharCode(byte);
  }
  return text;
}

function long(machine: Machine, length: number): number | bigint {
  if (length > 64 || length < 0) broken(machine, "a whole number is too long", `${length} bytes`);
  const bytes = machine.cursor.bytes(length);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  if (length > 0 && bytes[length - 1]! >= 128) value -= 1n << BigInt(8 * length);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function call(machine: Machine): void {
  const args = pop(machine);
  const callee = pop(machine);
  if (!Array.isArray(args)) broken(machine, "arguments are no tuple");
  const named = isNamed(callee) ? callee : broken(machine, "calls what is no function");
  if (named.call === undefined)
    fail(`${code}-call`, `the file tries to call ${named.name}: nothing was run`, {
      where: machine.cursor.where,
      got: named.name,
      wanted: "tensors, dicts, lists, numbers and texts",
    });
  push(machine, container(machine, named.call(args)));
}

/** State of an object. An OrderedDict may carry attributes (`_metadata` of a state dict): left out. */
function build(machine: Machine): void {
  const state = pop(machine);
  if (!(top(machine) instanceof Map) || !(state instanceof Map))
    fail(`${code}-call`, "the file sets the state of an object that is no dict: refused", {
      where: machine.cursor.where,
      got: isNamed(top(machine)) ? (top(machine) as Named).name : "an object",
    });
}

function stackGlobal(machine: Machine): void {
  const [name, module] = [pop(machine), pop(machine)];
  if (typeof name !== "string" || typeof module !== "string") broken(machine, "a name is no text");
  push(machine, machine.names.find(module, name));
}

export function isNamed(value: Pickled | undefined): value is Named {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "name";
}

// The byte of each opcode → what it does.
const opcodes: Readonly<Record<number, (m: Machine) => void>> = {
  40: (m) => m.marks.push(m.stack.length), // MARK
  48: (m) => pop(m), // POP
  49: (m) => popMark(m), // POP_MARK
  50: (m) => push(m, top(m)), // DUP
  78: (m) => push(m, null), // NONE
  136: (m) => push(m, true), // NEWTRUE
  137: (m) => push(m, false), // NEWFALSE
  74: (m) => push(m, m.cursor.i32()), // BININT
  75: (m) => push(m, m.cursor.u8()), // BININT1
  77: (m) => push(m, m.cursor.u16()), // BININT2
  138: (m) => push(m, long(m, m.cursor.u8())), // LONG1
  139: (m) => push(m, long(m, m.cursor.i32())), // LONG4
  71: (m) => push(m, bigEndian(m.cursor.bytes(8))), // BINFLOAT
  88: (m) => push(m, m.cursor.text(m.cursor.u32())), // BINUNICODE
  140: (m) => push(m, m.cursor.text(m.cursor.u8())), // SHORT_BINUNICODE
  141: (m) => push(m, m.cursor.text(m.cursor.u64())), // BINUNICODE8
  84: (m) => push(m, m.cursor.text(m.cursor.u32())), // BINSTRING, of Python 2
  85: (m) => push(m, m.cursor.text(m.cursor.u8())), // SHORT_BINSTRING
  66: (m) => push(m, new Uint8Array(m.cursor.bytes(m.cursor.u32()))), // BINBYTES
  67: (m) => push(m, new Uint8Array(m.cursor.bytes(m.cursor.u8()))), // SHORT_BINBYTES
  142: (m) => push(m, new Uint8Array(m.cursor.bytes(m.cursor.u64()))), // BINBYTES8
  93: (m) => push(m, container(m, [])), // EMPTY_LIST
  108: (m) => push(m, container(m, popMark(m))), // LIST
  97: (m) => append(m, [pop(m)]), // APPEND
  101: (m) => append(m, popMark(m)), // APPENDS
  41: (m) => push(m, none), // EMPTY_TUPLE
  116: (m) => tuple(m, popMark(m)), // TUPLE
  133: (m) => popTuple(m, 1),
  134: (m) => popTuple(m, 2),
  135: (m) => popTuple(m, 3),
  125: (m) => push(m, container(m, new Map())), // EMPTY_DICT
  115: (m) => setItems(m, [pop(m), pop(m)].reverse()), // SETITEM
  117: (m) => setItems(m, popMark(m)), // SETITEMS
  113: (m) => put(m, m.cursor.u8()), // BINPUT
  114: (m) => put(m, m.cursor.u32()), // LONG_BINPUT
  148: (m) => put(m, m.memo.size), // MEMOIZE
  104: (m) => get(m, m.cursor.u8()), // BINGET
  106: (m) => get(m, m.cursor.u32()), // LONG_BINGET
  99: (m) => push(m, m.names.find(line(m), line(m))), // GLOBAL
  147: stackGlobal,
  81: (m) => push(m, m.names.persistent(pop(m))), // BINPERSID
  82: call, // REDUCE
  129: call, // NEWOBJ: for what is in our table, making and calling are the same
  98: build,
  149: (m) => m.cursor.bytes(8), // FRAME: lengths of blocks, of no use here
};

function bigEndian(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
}

function step(machine: Machine, op: number): void {
  const run = opcodes[op];
  if (run === undefined)
    fail(`${code}-opcode`, "the pickle uses an opcode that no checkpoint needs", {
      where: `${machine.cursor.where}: byte ${machine.cursor.at() - 1}`,
      got: `0x${op.toString(16)}`,
      hint: "sets, and objects of Python classes, are refused",
    });
  run(machine);
}
