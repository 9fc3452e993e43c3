// Small ONNX models for tests, written node by node.
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type ModelSpec,
  type NodeSpec,
  type PortSpec,
  readModel,
  writeModel,
} from "../src/formats/onnx/model.ts";
import type { TensorProto } from "../src/formats/onnx/onnx_pb.ts";
import {
  type ModelProto,
  ModelProtoSchema,
  TensorShapeProto_DimensionSchema,
} from "../src/formats/onnx/onnx_pb.ts";

export function port(
  name: string,
  shape: number[],
  dtype: PortSpec["dtype"] = "float32",
): PortSpec {
  return { name, dtype, shape };
}

export function modelOf(
  nodes: readonly NodeSpec[],
  inputs: readonly PortSpec[],
  outputs: readonly PortSpec[],
  {
    initializers = [],
    opset = 20,
    opsets = {},
  }: {
    initializers?: readonly TensorProto[];
    opset?: number;
    opsets?: ModelSpec["opsets"];
  } = {},
): Uint8Array {
  return writeModel({
    name: "test",
    nodes,
    inputs,
    outputs,
    initializers,
    opsets: { "": opset, "com.microsoft": 1, ...opsets },
  });
}

/** The same model after a change of its fields. */
export function edited(bytes: Uint8Array, change: (model: ModelProto) => void): Uint8Array {
  const model = readModel(bytes);
  change(model);
  return toBinary(ModelProtoSchema, model);
}

/** Gives dimension `axis` of an input a name instead of a size. */
export function freed(bytes: Uint8Array, input: number, axis: number, name: string): Uint8Array {
  return edited(bytes, ({ graph }) => {
    const type = graph!.input[input]!.type!.value;
    if (type.case !== "tensorType") throw new Error("not a tensor");
    type.value.shape!.dim[axis] = create(TensorShapeProto_DimensionSchema, {
      value: { case: "dimParam", value: name },
    });
  });
}
