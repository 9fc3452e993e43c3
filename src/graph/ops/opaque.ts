// ONNX nodes that we do not understand, kept as they were read: they run, and nothing goes back through them.
import { fail } from "../../base/errors.ts";
import { changed } from "../../formats/onnx/model.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from "../../formats/onnx/onnx_pb.ts";
import type { DType } from "../../tensor/tensor.ts";
import { type Cells, defineOp, type Emitter } from "../op.ts";
import type { Value } from "../value.ts";
import { defineUnary } from "./pointwise.ts";

/** Nodes in order, which read values, each other's results, and initializers of any type. */
export interface OpaquePart {
  readonly nodes: readonly NodeProto[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
  /** By what names the nodes read the op's inputs. */
  readonly inputs: readonly string[];
  /** Versions of the operator sets that the nodes are written in. */
  readonly opsets: Readonly<Record<string, number>>;
  /** What tells parts apart: equal keys are equal nodes. */
  readonly key: string;
  /** How the float64 reference does it, where somebody knows. */
  readonly reference?: (inputs: readonly Cells[], output: string) => Cells;
}

interface OpaqueAttrs {
  /** `JSON.stringify` of a part is its key. */
  part: OpaquePart & { toJSON(): string };
  /** Which of the results. */
  output: string;
  shape: readonly number[];
  dtype: DType;
}

const makeOpaque = defineOp<OpaqueAttrs>({
  name: "opaque",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  vjp: (_, { attrs: { part } }) =>
    fail("grad/opaque", `there is no gradient through ${named(part)}`, {
      where: part.nodes.at(-1)!.name || part.nodes.at(-1)!.output[0],
      wanted: "an operator of the table of claimed operators",
    }),
  lower: (to, { attrs: { part, output } }, inputs) => {
    for (const [domain, version] of Object.entries(part.opsets)) to.opset(domain, version);
    const names = new Map(part.inputs.map((name, i) => [name, inputs[i]!]));
    for (const node of part.nodes) emit(to, node, names, part.initializers);
    return names.get(output)!;
  },
  reference: (cells, { attrs: { part, output } }) =>
    part.reference?.(cells, output) ??
    fail("interpret/opaque", `the reference does not know ${named(part)}`, {
      where: part.nodes.at(-1)!.name || part.nodes.at(-1)!.output[0],
    }),
});

/** The result `output` of the last nodes of `part`, whose inputs are `inputs`. */
export function opaque(
  part: OpaquePart,
  inputs: readonly Value[],
  { output, shape, dtype }: { output: string; shape: readonly number[]; dtype: DType },
): Value {
  const whole = { ...part, toJSON: () => part.key };
  return makeOpaque(inputs, { part: whole, output, shape, dtype });
}

/** A second name for a value: so that what reads the one can be told from what reads the other. */
export const alias = defineUnary({
  name: "alias",
  any: true,
  onnx: (_, x) => x,
  of: (x) => x,
  vjp: (grad) => grad,
});

function named({ nodes }: OpaquePart): string {
  const { opType, domain } = nodes.at(-1)!;
  return domain === "" ? opType : `${domain}:${opType}`;
}

function emit(
  to: Emitter,
  node: NodeProto,
  names: Map<string, string>,
  initializers: ReadonlyMap<string, TensorProto>,
): void {
  const read = (name: string): string => {
    if (name === "") return "";
    const found = names.get(name);
    if (found !== undefined) return found;
    const made = to.shared(`raw ${name}`, () => to.raw(initializers.get(name)!));
    names.set(name, made);
    return made;
  };
  const inputs = node.input.map(read);
  // A branch sees names of the graph around it: those get names that nothing else has.
  const outer = new Map(
    [...capturedNames(node)].map((name) => {
      const from = read(name);
      return [name, to.shared(`outer ${from}`, () => to.node("Identity", [from]))];
    }),
  );
  const key = `opaque ${node.output.join(" ")} ${inputs.join(" ")} ${[...outer.values()].join(" ")}`;
  const made = to.shared(key, () =>
    to.nodes(node.opType, inputs, node.output.length, {
      domain: node.domain,
      absent: node.output.flatMap((name, i) => (name === "" ? [i] : [])),
      attributes: Object.fromEntries(
        node.attribute.map((proto) => [proto.name, { proto: renameInside(proto, outer) }]),
      ),
    }),
  );
  node.output.forEach((name, i) => {
    if (name !== "") names.set(name, made[i]!);
  });
}

/** Names that the branches of a node read from outside. */
export function capturedNames(node: NodeProto): Set<string> {
  const found = new Set<string>();
  for (const graph of graphsOf(node.attribute))
    for (const name of freeNames(graph)) found.add(name);
  return found;
}

function graphsOf(attributes: readonly AttributeProto[]): GraphProto[] {
  return attributes.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
}

function freeNames(graph: GraphProto): Set<string> {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
  ]);
  const free = new Set<string>();
  const see = (name: string) => {
    if (name !== "" && !own.has(name)) free.add(name);
  };
  for (const node of graph.node) {
    node.input.forEach(see);
    for (const name of capturedNames(node)) see(name);
    for (const name of node.output) own.add(name);
  }
  for (const { name } of graph.output) see(name);
  return free;
}

function renameInside(proto: AttributeProto, outer: ReadonlyMap<string, string>): AttributeProto {
  const { GRAPH, GRAPHS } = AttributeProto_AttributeType;
  if (proto.type !== GRAPH && proto.type !== GRAPHS) return proto;
  return changed(proto, {
    g: proto.g && renameGraph(proto.g, outer),
    graphs: proto.graphs.map((graph) => renameGraph(graph, outer)),
  });
}

function renameGraph(graph: GraphProto, outer: ReadonlyMap<string, string>): GraphProto {
  const rename = (name: string) => outer.get(name) ?? name;
  return changed(graph, {
    node: graph.node.map((node) =>
      changed(node, {
        input: node.input.map(rename),
        attribute: node.attribute.map((inner) => renameInside(inner, outer)),
      }),
    ),
    output: graph.output.map((port) => changed(port, { name: rename(port.name) })),
  });
}
