// How an ONNX model is put together: nodes, initializers, inputs and outputs → bytes.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { check, fail } from "../../base/errors.ts";
import type { DType, Tensor } from "../../tensor/tensor.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./onnx_pb.ts";

export const onnxTypes: Readonly<Record<DType, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  float64: TensorProto_DataType.DOUBLE,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
  uint8: TensorProto_DataType.UINT8,
  bool: TensorProto_DataType.BOOL,
  float16: TensorProto_DataType.FLOAT16,
  bfloat16: TensorProto_DataType.BFLOAT16,
};

/** Whole numbers become INT or INTS: a FLOAT attribute is written `{ float: 1 }` or `{ floats }`. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | { graph: BranchSpec }
  /** As it was read. */
  | { proto: AttributeProto };

/** A branch of `If`: takes no inputs, sees all values of the graph around it. */
export interface BranchSpec {
  nodes: readonly NodeSpec[];
  outputs: readonly PortSpec[];
}

export interface NodeSpec {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, Attribute>>;
  /** "" is ONNX itself, "com.microsoft" ONNX Runtime's own operators. */
  domain?: string;
}

export interface PortSpec {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

/** Where the bytes of an initializer lie: `location` is relative to the folder of the model. */
export interface ExternalData {
  location: string;
  offset: number;
  length: number;
}

export interface ModelSpec {
  name: string;
  inputs: readonly PortSpec[];
  outputs: readonly PortSpec[];
  nodes: readonly NodeSpec[];
  initializers: readonly TensorProto[];
  /** Version of each operator set, e.g. `{ "": 20, "com.microsoft": 1 }`. */
  opsets: Readonly<Record<string, number>>;
}

export function writeModel(spec: ModelSpec): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    producerName: "micrographia",
    opsetImport: Object.entries(spec.opsets).map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    graph: create(GraphProtoSchema, {
      name: spec.name,
      node: spec.nodes.map(nodeProto),
      initializer: [...spec.initializers],
      input: spec.inputs.map(portProto),
      output: spec.outputs.map(portProto),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

/** The fields of an ONNX file. Anything else is refused with `onnx/parse`. */
export function readModel(bytes: Uint8Array): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    return fail("onnx/parse", "these bytes are no ONNX model", {
      got: cause instanceof Error ? cause.message : String(cause),
      wanted: "a ModelProto",
      cause,
    });
  }
  check(model.graph !== undefined, "onnx/parse", "the ONNX model has no graph", {
    got: `${bytes.length} bytes`,
    wanted: "a ModelProto with a graph",
  });
  return model;
}

/** A tensor of its own, as ONNX's test data are written. */
export function readTensorProto(bytes: Uint8Array): TensorProto {
  try {
    return fromBinary(TensorProtoSchema, bytes);
  } catch (cause) {
    return fail("onnx/parse", "these bytes are no ONNX tensor", { wanted: "a TensorProto", cause });
  }
}

/** An initializer with its data inside the model. */
export function initializer(name: string, tensor: Tensor): TensorProto {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return create(TensorProtoSchema, {
    name,
    dataType: onnxTypes[tensor.dtype],
    dims: tensor.shape.map(BigInt),
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  });
}

/** A message with other fields; what it does not set stays unset. */
export function changed<M extends object>(message: M, fields: Partial<M>): M {
  // Unset fields live on the prototype: spreading would lose them.
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, fields);
}

/** An initializer whose data lie in another file, such as a tensor of a `.safetensors`. */
export function externalInitializer(port: PortSpec, data: ExternalData): TensorProto {
  const entry = (key: string, value: string | number) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) });
  return create(TensorProtoSchema, {
    name: port.name,
    dataType: onnxTypes[port.dtype],
    dims: port.shape.map(BigInt),
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      entry("location", data.location),
      entry("offset", data.offset),
      entry("length", data.length),
    ],
  });
}

function nodeProto(spec: NodeSpec): NodeProto {
  return create(NodeProtoSchema, {
    // Named after what it makes, so that profiles and error texts of ONNX Runtime can be read.
    name: spec.outputs[0],
    opType: spec.op,
    domain: spec.domain ?? "",
    input: [...spec.inputs],
    output: [...spec.outputs],
    attribute: Object.entries(spec.attributes ?? {}).map(([name, value]) =>
      attributeProto(name, value),
    ),
  });
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  const types = AttributeProto_AttributeType;
  if (typeof value === "string")
    return create(AttributeProtoSchema, {
      name,
      type: types.STRING,
      s: new TextEncoder().encode(value),
    });
  if (typeof value === "number") {
    check(Number.isInteger(value), "onnx/attribute", "an INT attribute must be a whole number", {
      where: name,
      got: value,
      wanted: "an integer, or { float: … }",
    });
    return create(AttributeProtoSchema, { name, type: types.INT, i: BigInt(value) });
  }
  if ("float" in value)
    return create(AttributeProtoSchema, { name, type: types.FLOAT, f: value.float });
  if ("floats" in value)
    return create(AttributeProtoSchema, { name, type: types.FLOATS, floats: [...value.floats] });
  if ("proto" in value) return value.proto;
  if ("graph" in value) {
    const { nodes, outputs } = value.graph;
    const g = create(GraphProtoSchema, {
      name,
      node: nodes.map(nodeProto),
      output: outputs.map(portProto),
    });
    return create(AttributeProtoSchema, { name, type: types.GRAPH, g });
  }
  return create(AttributeProtoSchema, { name, type: types.INTS, ints: value.map(BigInt) });
}

function portProto(spec: PortSpec): ValueInfoProto {
  const dim = spec.shape.map((n) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(n) } }),
  );
  const type = create(TypeProto_TensorSchema, {
    elemType: onnxTypes[spec.dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name: spec.name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: type } }),
  });
}
