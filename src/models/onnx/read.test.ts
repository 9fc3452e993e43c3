// What is read from a file: external data, halves, functions, and nothing from hostile bytes.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { edited, modelOf, port } from "../../../test/onnx-models.ts";
import { isError } from "../../base/errors.ts";
import { random } from "../../base/random.ts";
import { externalInitializer, initializer } from "../../formats/onnx/model.ts";
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
} from "../../formats/onnx/onnx_pb.ts";
import { interpret } from "../../graph/interpret.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { folderStore } from "../../storage/folder.ts";
import { memoryStore } from "../../storage/memory.ts";
import { narrowF16 } from "../../tensor/half.ts";
import { f32, tensor } from "../../tensor/tensor.ts";
import { writeOnnx } from "./edit.ts";
import { onnxPorts, readOnnx } from "./read.ts";

const backend = ortBackend({ threads: 1 });
const x = f32([2, 2], [1, 2, 3, 4]);

describe("weights in another file", () => {
  const withWeight = (location: string, offset = 4, length = 16) =>
    modelOf(
      [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
      [port("x", [2, 2])],
      [port("y", [2, 2])],
      { initializers: [externalInitializer(port("w", [2, 2]), { location, offset, length })] },
    );
  const data = new Uint8Array(Float32Array.of(0, 10, 20, 30, 40).buffer);

  test("stay there when the file lies in a folder, and are read when it does not", async () => {
    const folder = mkdtempSync(join(tmpdir(), "onnx-"));
    writeFileSync(join(folder, "w.bin"), data);
    writeFileSync(join(folder, "m.onnx"), withWeight("w.bin"));
    const model = await readOnnx({ store: folderStore(folder), key: "m.onnx" });
    expect(model.values.get("w")!.op).toBe("weight");
    const mapped = await backend.compile(writeOnnx(model));
    expect([...(await mapped.run({ x })).y!.data]).toEqual([11, 22, 33, 44]);

    const store = memoryStore();
    await store.put("sub/w.bin", data);
    await store.put("sub/m.onnx", withWeight("./w.bin"));
    const held = await readOnnx({ store, key: "sub/m.onnx" });
    expect([...interpret(held.outputs, { x }).y!.data]).toEqual([11, 22, 33, 44]);
  });

  test.each(["../w.bin", "/etc/passwd", "a/../../w.bin", "C:\\w.bin", "..\\w.bin", ""])(
    "a path that leaves the folder is refused: %j",
    async (location) => {
      const store = memoryStore();
      await store.put("m.onnx", withWeight(location));
      await expect(readOnnx({ store, key: "m.onnx" })).rejects.toMatchObject({
        code: "onnx/external-path",
      });
    },
  );

  test("a file that is too short is refused with both lengths", async () => {
    const store = memoryStore();
    await store.put("m.onnx", withWeight("w.bin", 8));
    await store.put("w.bin", data);
    await expect(readOnnx({ store, key: "m.onnx" })).rejects.toMatchObject({
      code: "onnx/external",
      wanted: "16 bytes from 8",
    });
  });
});

test("halves are widened and computed in float32, and come out as halves", async () => {
  const bytes = modelOf(
    [
      { op: "Mul", inputs: ["x", "w"], outputs: ["h"] },
      { op: "Exp", inputs: ["h"], outputs: ["y"] },
    ],
    [port("x", [2], "float16")],
    [port("y", [2], "float16")],
    {
      initializers: [initializer("w", tensor("float16", [2], narrowF16(Float32Array.of(0.5, 2))))],
    },
  );
  const model = await readOnnx(bytes);
  expect(model.values.get("h")!.dtype).toBe("float32");
  const executable = await backend.compile(writeOnnx(model));
  const found = await executable.run({
    x: tensor("float16", [2], narrowF16(Float32Array.of(1, 1))),
  });
  const wanted = narrowF16(Float32Array.of(Math.exp(0.5), Math.exp(2)));
  expect(found.y).toEqual(tensor("float16", [2], wanted));
});

test("a function of the model is read in place, with the attributes of its call", async () => {
  const plain = modelOf(
    [
      {
        op: "Leak",
        domain: "mine",
        inputs: ["x"],
        outputs: ["y"],
        attributes: { slope: { float: 0.5 } },
      },
    ],
    [port("x", [2, 2])],
    [port("y", [2, 2])],
    { opsets: { mine: 1 } },
  );
  const bytes = edited(plain, (model) => {
    model.functions.push(
      create(FunctionProtoSchema, {
        name: "Leak",
        domain: "mine",
        input: ["a"],
        output: ["b"],
        attribute: ["slope"],
        opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 16n })],
        node: [
          create(NodeProtoSchema, { opType: "Neg", input: ["a"], output: ["n"] }),
          create(NodeProtoSchema, {
            opType: "LeakyRelu",
            input: ["n"],
            output: ["b"],
            attribute: [
              create(AttributeProtoSchema, { name: "alpha", refAttrName: "slope", type: 1 }),
            ],
          }),
        ],
      }),
    );
  });
  const model = await readOnnx(bytes);
  expect([...model.values.keys()]).toEqual(["x", "y/a", "y/n", "y/b", "y"]);
  expect([...interpret(model.outputs, { x }).y!.data]).toEqual([-0.5, -1, -1.5, -2]);
});

describe("hostile bytes", () => {
  const good = modelOf(
    [
      {
        op: "Conv",
        inputs: ["x", "w"],
        outputs: ["c"],
        attributes: { pads: [1, 1, 1, 1], strides: [2, 2] },
      },
      { op: "Reshape", inputs: ["c", "to"], outputs: ["r"] },
      { op: "Slice", inputs: ["r", "from", "end"], outputs: ["s"] },
      { op: "Softmax", inputs: ["s"], outputs: ["y"], attributes: { axis: -1 } },
    ],
    [port("x", [1, 1, 4, 4])],
    [port("y", [1, 4])],
    {
      initializers: [
        initializer(
          "w",
          f32(
            [2, 1, 3, 3],
            Float32Array.from({ length: 18 }, (_, i) => i / 9),
          ),
        ),
        initializer("to", tensor("int64", [2], BigInt64Array.of(1n, -1n))),
        initializer("from", tensor("int64", [2], BigInt64Array.of(0n, 2n))),
        initializer("end", tensor("int64", [2], BigInt64Array.of(1n, 6n))),
      ],
    },
  );

  test("2,000 changed files are read, or refused with a code", async () => {
    await readOnnx(good);
    const r = random(7);
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      const bytes = good.slice();
      const changes = 1 + r.int(4);
      for (let k = 0; k < changes; k++) bytes[r.int(bytes.length)] = r.int(256);
      const cut = r.int(4) === 0 ? bytes.subarray(0, r.int(bytes.length)) : bytes;
      try {
        onnxPorts(cut);
        await readOnnx(cut, { backend });
      } catch (error) {
        if (!isError(error)) throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["noise", Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 256)],
  ])("%s is no model", async (_, bytes) => {
    await expect(readOnnx(bytes)).rejects.toMatchObject({ code: "onnx/parse" });
  });
});
