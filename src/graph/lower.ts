// How values become an ONNX model: one op entry at a time, names in order, constants kept once.
import { fail } from "../base/errors.ts";
import {
  changed,
  type ExternalData,
  externalInitializer,
  initializer,
  type NodeSpec,
  type PortSpec,
  writeModel,
} from "../formats/onnx/model.ts";
import type { TensorProto } from "../formats/onnx/onnx_pb.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { hashBytes } from "./hash.ts";
import { type EmitOptions, type Emitter, opOf } from "./op.ts";
import { reachable, scalar, type Value, type WeightFile } from "./value.ts";

export interface Lowered {
  bytes: Uint8Array;
  /** The folder that the locations of external data start from. */
  externalFolder?: string;
}

const leastOpsets = { "": 20, "com.microsoft": 1 };

/** Writes the model of simplified `outputs`; `inputs` keep their order. */
export function lower(inputs: readonly Value[], outputs: Readonly<Record<string, Value>>): Lowered {
  const order = reachable(Object.values(outputs));
  const nodes: NodeSpec[] = [];
  const initializers: TensorProto[] = [];
  const opsets: Record<string, number> = { ...leastOpsets };
  const to = emitter(nodes, initializers, opsets);
  const weights = order.filter(({ op }) => op === "weight");
  const folder = commonFolder(weights.map(({ attrs }) => (attrs.file as WeightFile).path));
  const names = new Map<number, string>();
  for (const value of order) {
    if (value.op === "input") names.set(value.id, value.name!);
    else if (value.op === "constant")
      names.set(value.id, to.constant(value.attrs.tensor as Tensor));
    else if (value.op === "weight") {
      const name = `weight:${value.name}`;
      const data = external(value.attrs.file as WeightFile, folder);
      initializers.push(externalInitializer({ ...value, name }, data));
      names.set(value.id, name);
    } else {
      const from = value.inputs.map(({ id }) => names.get(id)!);
      names.set(value.id, opOf(value)!.lower(to, value, from));
    }
  }
  nameOutputs(nodes, new Map(Object.entries(outputs).map(([k, v]) => [k, names.get(v.id)!])));
  const port = (name: string, { dtype, shape }: Value): PortSpec => ({ name, dtype, shape });
  const bytes = writeModel({
    name: "micrographia",
    inputs: inputs.map((value) => port(value.name!, value)),
    outputs: Object.entries(outputs).map(([name, value]) => port(name, value)),
    nodes,
    initializers,
    opsets,
  });
  return weights.length === 0 ? { bytes } : { bytes, externalFolder: folder };
}

function emitter(
  nodes: NodeSpec[],
  initializers: TensorProto[],
  opsets: Record<string, number>,
): Emitter {
  const constants = new Map<string, string>();
  let count = 0;

  function into(list: NodeSpec[], made: ReadonlyMap<string, unknown>): Emitter {
    const shared = new Map(made);
    const self: Emitter = {
      node: (op, inputs, options) => self.nodes(op, inputs, 1, options)[0]!,
      nodes(op, inputs, outputs, { attributes, domain, absent = [] }: EmitOptions = {}) {
        count += 1;
        const names = Array.from({ length: outputs }, (_, i) =>
          i === 0 ? `${op}:${count}` : `${op}:${count}:${i}`,
        );
        const written = names.map((name, i) => (absent.includes(i) ? "" : name));
        list.push({ op, inputs, outputs: written, attributes, domain });
        return names;
      },
      choose(condition, { dtype, shape }, { yes, no }) {
        // What a branch makes is not there for the graph around it: it shares downwards only.
        const branch = (make: (to: Emitter) => string) => {
          const inside: NodeSpec[] = [];
          const name = make(into(inside, shared));
          return { graph: { nodes: inside, outputs: [{ name, dtype, shape }] } };
        };
        return self.node("If", [condition], {
          attributes: { then_branch: branch(yes), else_branch: branch(no) },
        });
      },
      opset(name, version) {
        opsets[name] = Math.max(opsets[name] ?? 1, version);
      },
      raw(from) {
        const name = `raw:${initializers.length}`;
        initializers.push(changed(from, { name }));
        return name;
      },
      constant(from) {
        const { data, dtype, shape } = from;
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        const key = `${dtype} ${shape} ${hashBytes(bytes)}`;
        const name = constants.get(key) ?? `constant:${initializers.length}`;
        if (!constants.has(key)) initializers.push(initializer(name, from));
        constants.set(key, name);
        return name;
      },
      ints: (values) =>
        self.constant(tensor("int64", [values.length], BigInt64Array.from(values, BigInt))),
      scalar: (x, dtype) => self.constant(scalar(x, dtype).attrs.tensor as Tensor),
      shared<T>(key: string, make: () => T): T {
        if (!shared.has(key)) shared.set(key, make());
        return shared.get(key) as T;
      },
    };
    return self;
  }

  return into(nodes, new Map());
}

/** Gives results the names that the program promises; what is no node's own result is copied. */
function nameOutputs(nodes: NodeSpec[], outputs: ReadonlyMap<string, string>): void {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const copies: NodeSpec[] = [];
  for (const [name, from] of outputs)
    if (made.has(from) && !renamed.has(from)) renamed.set(from, name);
    else copies.push({ op: "Identity", inputs: [from], outputs: [name] });
  const rename = (name: string) => renamed.get(name) ?? name;
  const renameAll = (list: readonly NodeSpec[]) => {
    for (const node of list) {
      node.inputs = node.inputs.map(rename);
      node.outputs = node.outputs.map(rename);
      for (const attribute of Object.values(node.attributes ?? {}))
        if (typeof attribute === "object" && "graph" in attribute) renameAll(attribute.graph.nodes);
    }
  };
  nodes.push(...copies);
  renameAll(nodes);
}

/** The folder above all files. ONNX Runtime refuses data outside the one folder it is told. */
function commonFolder(paths: readonly string[]): string {
  const folders = paths.map((path) => plainPath(path).split("/").slice(0, -1));
  const [first = [], ...rest] = folders;
  let depth = first.length;
  for (const folder of rest)
    while (folder.slice(0, depth).join("/") !== first.slice(0, depth).join("/")) depth -= 1;
  if (paths.length > 0 && depth === 0 && paths.some((path) => !plainPath(path).startsWith("/")))
    if (new Set(folders.map((folder) => folder.join("/"))).size > 1)
      fail("weight/folder", "weights of one program lie in folders without a common one", {
        got: paths.slice(0, 2).join(", "),
        wanted: "files below one folder",
      });
  return first.slice(0, depth).join("/") || (paths[0]?.startsWith("/") ? "/" : ".");
}

function external({ path, offset, length }: WeightFile, folder: string): ExternalData {
  const plain = plainPath(path);
  const location = folder === "." ? plain : plain.slice(folder === "/" ? 1 : folder.length + 1);
  return { location, offset, length };
}

/** Windows paths with forward slashes; others as they are. */
function plainPath(path: string): string {
  return /^[A-Za-z]:[\\/]|^\\\\/.test(path) ? path.replaceAll("\\", "/") : path;
}
