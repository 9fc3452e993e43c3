// How nodes that we lack become ops of our graph: as they were, with shapes that ONNX Runtime tells.
import { create, toBinary } from "@bufbuild/protobuf";
import { check, fail, isError } from "../../base/errors.ts";
import { initializer, onnxTypes } from "../../formats/onnx/model.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "../../formats/onnx/onnx_pb.ts";
import { hashBytes } from "../../graph/hash.ts";
import { type OpaquePart, opaque } from "../../graph/ops/opaque.ts";
import type { Value } from "../../graph/value.ts";
import type { Backend } from "../../runtime/backend.ts";
import {
  bytesPerElement,
  type DType,
  filled,
  sizeOf,
  type Tensor,
  tensor,
} from "../../tensor/tensor.ts";
import { known } from "./call.ts";
import type { Hidden } from "./scope.ts";

export interface Found {
  /** Our dtype, or the name of a type that our values lack. */
  type: string;
  shape: readonly number[];
}

/** A value for the result `output` of hidden nodes. */
export function opaqueValue(
  hidden: Omit<Hidden, "type">,
  output: string,
  found: Found,
  opsets: Readonly<Record<string, number>>,
): Value {
  const part: OpaquePart = {
    nodes: hidden.nodes,
    initializers: hidden.initializers,
    inputs: [...hidden.inputs.keys()],
    opsets,
    key: hashBytes(modelOf(hidden, [output], opsets)),
  };
  const inputs = [...hidden.inputs.values()];
  return opaque(part, inputs, { output, shape: found.shape, dtype: found.type as DType });
}

/** Whether a name is one of our dtypes. */
export function isOurs(type: string): type is DType {
  return Object.hasOwn(bytesPerElement, type) && type !== "bfloat16" && type !== "float16";
}

function modelOf(
  { nodes, initializers, inputs }: Omit<Hidden, "type">,
  outputs: readonly string[],
  opsets: Readonly<Record<string, number>>,
): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: Object.entries(opsets).map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ),
      graph: create(GraphProtoSchema, {
        name: "part",
        node: [...nodes],
        initializer: [
          ...initializers.values(),
          ...[...inputs].flatMap(([name, value]) => {
            const fixed = known(value);
            return fixed === undefined ? [] : [initializer(name, fixed)];
          }),
        ],
        input: [...inputs]
          .filter(([, value]) => known(value) === undefined)
          .map(([name, { dtype, shape }]) => {
            const dim = shape.map((n) =>
              create(TensorShapeProto_DimensionSchema, {
                value: { case: "dimValue", value: BigInt(n) },
              }),
            );
            const type = create(TypeProto_TensorSchema, {
              elemType: onnxTypes[dtype],
              shape: create(TensorShapeProtoSchema, { dim }),
            });
            return create(ValueInfoProtoSchema, {
              name,
              type: create(TypeProtoSchema, { value: { case: "tensorType", value: type } }),
            });
          }),
        output: outputs.map((name) => create(ValueInfoProtoSchema, { name })),
      }),
    }),
  );
}

/**
 * Asks ONNX Runtime what a node makes, by running it on two different feeds: a shape that depends on
 * the numbers is refused. Undefined for results that are no tensors of numbers.
 */
export async function probe(
  hidden: Omit<Hidden, "type">,
  output: string,
  opsets: Readonly<Record<string, number>>,
  backend: Backend,
): Promise<Found | undefined> {
  const node = hidden.nodes.at(-1)!;
  const bytes = modelOf(hidden, [output], opsets);
  const fed = [...hidden.inputs].filter(([, value]) => known(value) === undefined);
  const executable = await backend
    .compile({
      bytes,
      inputs: fed.map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
      outputs: [{ name: output, dtype: "float32", shape: [] }],
      hash: hashBytes(bytes),
      values: {},
    })
    .catch((cause) => refuse(node, cause));
  const run = async (of: (i: number) => number): Promise<Tensor | undefined> => {
    const feeds = fed.map(([name, { dtype, shape }]) => [name, feed(dtype, shape, of)]);
    const made = await executable.run(Object.fromEntries(feeds)).catch((cause) => {
      // The engine hands out tensors of numbers only.
      if (isError(cause, "run/failed")) return refuse(node, cause);
      return undefined;
    });
    return made?.[output];
  };
  const first = await run(() => 0);
  const second = await run((i) => (i * 7) % 3);
  await executable.release();
  if (first === undefined || second === undefined) return undefined;
  const same = first.shape.join() === second.shape.join();
  check(same, "onnx/data-shape", `the shape of a result of ${node.opType} depends on the numbers`, {
    where: node.name || output,
    got: `[${first.shape.join(", ")}] and [${second.shape.join(", ")}]`,
    wanted: "shapes that follow from the shapes of the inputs",
  });
  return { type: first.dtype, shape: first.shape };
}

function feed(dtype: DType, shape: readonly number[], of: (i: number) => number): Tensor {
  const number = dtype === "bool" ? (i: number) => of(i) % 2 : of;
  return tensor(dtype, shape, filled(dtype, sizeOf(shape), number));
}

function refuse(node: NodeProto, cause: unknown): never {
  const name = node.domain === "" ? node.opType : `${node.domain}:${node.opType}`;
  return fail("onnx/operator", `neither we nor ONNX Runtime can run ${name}`, {
    where: node.name || node.output[0],
    got: cause instanceof Error ? cause.message : String(cause),
    wanted: "an operator of the table of claimed operators, or of ONNX Runtime",
    cause,
  });
}
