// Any ONNX file as a graph of ours, by name.
export type { OnnxOp } from "./call.ts";
export {
  captureOnnx,
  changeOnnx,
  gradOnnx,
  listOnnx,
  type OnnxValueRow,
  onnxValue,
  writeOnnx,
} from "./edit.ts";
export type { Dim, OnnxPort, ShapeOptions } from "./ports.ts";
export {
  type OnnxModel,
  type OnnxSource,
  onnxPorts,
  type ReadOnnxOptions,
  readOnnx,
} from "./read.ts";
export { claims, findOnnxOp, onnxOps } from "./table.ts";
export type { Untouched } from "./walk.ts";
