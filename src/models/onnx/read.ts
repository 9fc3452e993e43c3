// How an ONNX file becomes a graph of ours: every name a value, every node one entry of the table.
import { check, fail } from "../../base/errors.ts";
import { readModel } from "../../formats/onnx/model.ts";
import type { GraphProto, ModelProto, TensorProto } from "../../formats/onnx/onnx_pb.ts";
import {
  dtypeOfElement,
  elementName,
  externalPlace,
  readTensor,
} from "../../formats/onnx/tensor.ts";
import { cast } from "../../graph/ops/logic.ts";
import { constant, input, type Value, weight } from "../../graph/value.ts";
import type { Backend } from "../../runtime/backend.ts";
import type { Store } from "../../storage/store.ts";
import { toFloat32 } from "../../tensor/half.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { widened } from "./pointwise.ts";
import { bindShapes, fedInputs, type OnnxPort, portOf, type ShapeOptions } from "./ports.ts";
import { type Names, newScope, type Scope } from "./scope.ts";
import { type Untouched, type Walk, walkGraph } from "./walk.ts";

export interface OnnxModel {
  readonly name: string;
  readonly producer: string;
  /** Version of each operator set. */
  readonly opsets: Readonly<Record<string, number>>;
  /** What is fed, in order. */
  readonly inputs: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
  /** Every named value: inputs, initializers, results of nodes; names in branches have a prefix. */
  readonly values: ReadonlyMap<string, Value>;
  /** Which of the values are initializers. */
  readonly initializers: readonly string[];
  /** Nodes that run as they are, because we lack them: no gradient goes through them. */
  readonly untouched: readonly Untouched[];
}

/** A file's bytes, or a key of a store, whose folder may hold external data. */
export type OnnxSource = Uint8Array | { store: Store; key: string };

export interface ReadOnnxOptions extends ShapeOptions {
  /** Inputs that are known beforehand, such as shapes: they are baked in. */
  constants?: Readonly<Record<string, Tensor>>;
  /**
   * What becomes of a known operator at a type that we do not claim, or used in a way that we refuse:
   * refused by name, or handed to ONNX Runtime as an operator that we lack would be.
   */
  unclaimed?: "refuse" | "opaque";
  /** Tells the shapes of what operators that we lack make. ONNX Runtime when left out. */
  backend?: Backend;
}

/** What can be known of a file without shapes: for listing, before `readOnnx`. */
export function onnxPorts(bytes: Uint8Array): { inputs: OnnxPort[]; outputs: OnnxPort[] } {
  const { graph } = readModel(bytes);
  return { inputs: fedInputs(graph!), outputs: graph!.output.map(portOf) };
}

/**
 * Reads operator sets 7 to 27. Shapes are static: free dimensions are given in `dims` or `shapes`.
 * Halves are widened and computed in float32; inputs and outputs keep their type.
 * Errors: `onnx/parse`, `onnx/free-dim`, `onnx/unclaimed`, `onnx/refused`, `onnx/dynamic`,
 * `onnx/operator`, `onnx/external-path`, and those of shapes.
 */
export async function readOnnx(
  source: OnnxSource,
  options: ReadOnnxOptions = {},
): Promise<OnnxModel> {
  const bytes = source instanceof Uint8Array ? source : await source.store.get(source.key);
  const model = readModel(bytes);
  const graph = model.graph!;
  const opsets = opsetsOf(model);
  const names: Names = { values: new Map(), named: new Set() };
  const scope = newScope(names);
  const { constants = {} } = options;
  const ports = fedInputs(graph).filter(({ name }) => constants[name] === undefined);
  const shapes = bindShapes(ports, { ...options, shapes: options.shapes ?? {} });
  const inputs = ports.map((port) => bindInput(scope, port, shapes.get(port.name)!));
  for (const [name, tensor] of Object.entries(constants))
    scope.bind(name, constant(toPlain(tensor)));
  const initializers = await bindInitializers(scope, graph, source);
  const walk: Walk = {
    names,
    opsets,
    functions: new Map(model.functions.map((f) => [`${f.domain}:${f.name}:${f.overload}`, f])),
    unclaimed: options.unclaimed ?? "refuse",
    backend: options.backend,
    untouched: [],
    constant: (proto) => constant(toPlain(readTensor(proto))),
  };
  await walkGraph(walk, scope, graph, opsets, "");
  return {
    name: graph.name,
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    opsets,
    inputs,
    outputs: outputsOf(scope, graph),
    values: names.values,
    initializers,
    untouched: walk.untouched,
  };
}

function opsetsOf(model: ModelProto): Record<string, number> {
  const opsets: Record<string, number> = {};
  for (const { domain, version } of model.opsetImport)
    opsets[domain === "ai.onnx" ? "" : domain] = Number(version);
  check(Object.keys(opsets).length > 0, "onnx/opset", "the model names no operator set");
  return opsets;
}

function bindInput(scope: Scope, { name, type }: OnnxPort, shape: number[]): Value {
  if (!Object.hasOwn(bytesPerElement, type) || type === "bfloat16")
    fail("onnx/dtype", `the input ${name} has a type that cannot be fed`, {
      where: name,
      got: type,
      wanted: Object.keys(bytesPerElement)
        .filter((dtype) => dtype !== "bfloat16")
        .join(", "),
    });
  const fed = input(name, type as DType, shape);
  scope.bind(name, cast(fed, widened(fed.dtype)));
  return fed;
}

async function bindInitializers(
  scope: Scope,
  graph: GraphProto,
  source: OnnxSource,
): Promise<string[]> {
  const found: string[] = [];
  check(graph.sparseInitializer.length === 0, "onnx/sparse", "sparse initializers are not read", {
    got: graph.sparseInitializer[0]?.values?.name,
    wanted: "dense initializers",
  });
  for (const proto of graph.initializer) {
    if (scope.get(proto.name) !== undefined) continue; // bound as a constant
    const value = await initializerValue(proto, source);
    if (value === undefined)
      scope.hide(proto.name, {
        nodes: [],
        initializers: new Map([[proto.name, proto]]),
        inputs: new Map(),
        type: elementName(proto.dataType),
      });
    else {
      scope.bind(proto.name, value);
      found.push(proto.name);
    }
  }
  return found;
}

async function initializerValue(
  proto: TensorProto,
  source: OnnxSource,
): Promise<Value | undefined> {
  const place = externalPlace(proto);
  const dtype = dtypeOfElement(proto.dataType);
  if (place === undefined)
    return dtype === undefined ? undefined : constant(toPlain(readTensor(proto)));
  if (source instanceof Uint8Array || dtype === undefined)
    return fail("onnx/external", `the initializer ${proto.name} lies in another file`, {
      where: proto.name,
      got: place.location,
      wanted: "a store and a key instead of bytes, and a dtype of ours",
    });
  const { store, key } = source;
  const folder = key.includes("/") ? key.slice(0, key.lastIndexOf("/") + 1) : "";
  const file = folder + place.location;
  const size = await store.size(file);
  const length = sizeOf(proto.dims.map(Number)) * bytesPerElement[dtype];
  const fits =
    size !== undefined &&
    place.offset + length <= size &&
    (place.length === undefined || place.length === length);
  check(
    fits,
    "onnx/external",
    `the file of the initializer ${proto.name} is too short or missing`,
    {
      where: `${store.name}: ${file}`,
      got: size === undefined ? "no file" : `${size} bytes, ${place.length ?? "?"} of them its own`,
      wanted: `${length} bytes from ${place.offset}`,
    },
  );
  if (store.folder !== undefined && (dtype === "float32" || dtype === "float64"))
    return weight(proto.name, dtype, proto.dims.map(Number), {
      path: `${store.folder}/${file}`,
      offset: place.offset,
      length,
    });
  const bytes = await store.getRange(file, place.offset, place.offset + length);
  return constant(toPlain(readTensor(proto, bytes)));
}

/** Halves are widened, exactly. */
function toPlain(tensor: Tensor): Tensor {
  const half = tensor.dtype === "float16" || tensor.dtype === "bfloat16";
  return half ? toFloat32(tensor) : tensor;
}

function outputsOf(scope: Scope, graph: GraphProto): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  for (const info of graph.output) {
    const bound = scope.get(info.name);
    if (bound === undefined)
      fail("onnx/order", `nothing makes the output ${info.name}`, { where: info.name });
    if (bound.kind === "hidden")
      fail("onnx/dtype", `the output ${info.name} has a type that we do not hand out`, {
        where: info.name,
        got: bound.hidden.type,
      });
    const { type } = portOf(info);
    outputs[info.name] = cast(bound.value, type === "float16" ? "float16" : bound.value.dtype);
  }
  return outputs;
}
