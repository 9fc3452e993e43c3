// What the names of an ONNX graph stand for while it is read: values, or what no value can hold.

import { fail } from "../../base/errors.ts";
import type { GraphProto, NodeProto, TensorProto } from "../../formats/onnx/onnx_pb.ts";
import { alias } from "../../graph/ops/opaque.ts";
import { isFloat, type Value } from "../../graph/value.ts";

/** Nodes whose result has a type that our values lack (int8, sequences): ORT keeps it to itself. */
export interface Hidden {
  readonly nodes: readonly NodeProto[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
  /** Values that the nodes read, by their names there. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** The element type's name, where it is known. */
  readonly type: string;
}

export type Binding =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "hidden"; readonly hidden: Hidden };

/** Names of one graph, and of those around it. */
export interface Scope {
  get(name: string): Binding | undefined;
  /** Names a value; gives it back as what the name stands for from now on. */
  bind(name: string, value: Value): Value;
  hide(name: string, hidden: Hidden): void;
}

export interface Names {
  /** Every named value of the whole model, in order. */
  readonly values: Map<string, Value>;
  readonly named: Set<Value>;
}

/** A branch or a function writes its names below `prefix`. */
export function newScope(names: Names, prefix = "", outer?: Scope): Scope {
  const own = new Map<string, Binding>();
  return {
    get: (name) => own.get(name) ?? outer?.get(name),
    bind(name, value) {
      if (own.has(name)) fail("onnx/twice", `the name ${name} is given twice`, { where: name });
      // Two names for one value are told apart, so that either can be replaced or differentiated.
      // A constant behind a second name is not simplified away while the model is read: ones that
      // multiply can still be replaced, and have a gradient.
      const plain = value.op === "constant" && isFloat(value.dtype);
      const mine = names.named.has(value) || plain ? alias(value) : value;
      names.named.add(mine);
      names.values.set(prefix + name, mine);
      own.set(name, { kind: "value", value: mine });
      return mine;
    },
    hide(name, hidden) {
      own.set(name, { kind: "hidden", hidden });
    },
  };
}

/** Types and shapes that the file itself declares for its values. */
export function declaredOf(
  graph: GraphProto,
): ReadonlyMap<string, GraphProto["valueInfo"][number]> {
  return new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name, info]));
}
