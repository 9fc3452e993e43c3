// Files that others read and write too, by name.
export { type ModelSpec, type NodeSpec, readModel, writeModel } from "./onnx/model.ts";
export {
  encodeSafetensors,
  frameSafetensors,
  parseSafetensorsHeader,
  readSafetensor,
  readSafetensors,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  writeSafetensors,
} from "./safetensors.ts";
