// Models are written as the ONNX schema says: field by field, attribute by attribute.
import { describe, expect, test } from "vitest";
import { isError } from "../../base/errors.ts";
import { f32, tensor } from "../../tensor/tensor.ts";
import {
  type Attribute,
  externalInitializer,
  initializer,
  readModel,
  writeModel,
} from "./model.ts";

function written(attribute: Attribute) {
  const bytes = writeModel({
    name: "test",
    inputs: [{ name: "x", dtype: "float32", shape: [2, 3] }],
    outputs: [{ name: "y", dtype: "bool", shape: [] }],
    nodes: [
      {
        op: "Op",
        inputs: ["x"],
        outputs: ["y"],
        attributes: { a: attribute },
        domain: "com.microsoft",
      },
    ],
    initializers: [initializer("c", f32([2], [1, 2]))],
    opsets: { "": 20, "com.microsoft": 1 },
  });
  return readModel(bytes);
}

describe("an attribute", () => {
  // Numbers of AttributeProto.AttributeType in onnx.proto.
  test.each<[string, Attribute, object]>([
    ["whole number", 3, { type: 2, i: 3n }],
    ["float", { float: 0.5 }, { type: 1, f: 0.5 }],
    ["whole float", { float: 1 }, { type: 1, f: 1 }],
    ["string", "add", { type: 3, s: new TextEncoder().encode("add") }],
    ["list of whole numbers", [1, -2], { type: 7, ints: [1n, -2n] }],
    ["list of floats", { floats: [1, 0.5] }, { type: 6, floats: [1, 0.5] }],
    ["graph", { graph: { nodes: [], outputs: [] } }, { type: 5 }],
  ])("%s keeps its type", (_, attribute, wanted) => {
    expect(written(attribute).graph!.node[0]!.attribute[0]).toMatchObject(wanted);
  });

  test("a fraction that is not said to be a float is refused", () => {
    try {
      written(0.5);
      expect.unreachable();
    } catch (error) {
      expect(isError(error, "onnx/attribute")).toBe(true);
    }
  });
});

test("inputs, outputs, operator sets and initializers are all there", () => {
  const model = written(1);
  expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
    ["", 20n],
    ["com.microsoft", 1n],
  ]);
  const [x] = model.graph!.input;
  expect(x!.name).toBe("x");
  const type = x!.type!.value;
  if (type.case !== "tensorType") throw new Error("not a tensor");
  expect(type.value.elemType).toBe(1); // FLOAT
  expect(type.value.shape!.dim.map(({ value }) => value.value)).toEqual([2n, 3n]);
  const [c] = model.graph!.initializer;
  expect([...c!.rawData]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]); // 1 and 2, little-endian
});

test("a view into a larger buffer is written without its surroundings", () => {
  const view = new Int32Array(Int32Array.of(7, 8, 9).buffer, 4, 1);
  expect([...initializer("v", tensor("int32", [1], view)).rawData]).toEqual([8, 0, 0, 0]);
});

test("external data name their place in the file", () => {
  const port = { name: "w", dtype: "float32", shape: [2] } as const;
  const made = externalInitializer(port, { location: "m.safetensors", offset: 2 ** 33, length: 8 });
  expect(made.dataLocation).toBe(1); // EXTERNAL
  expect(made.externalData.map(({ key, value }) => [key, value])).toEqual([
    ["location", "m.safetensors"],
    ["offset", "8589934592"],
    ["length", "8"],
  ]);
});
