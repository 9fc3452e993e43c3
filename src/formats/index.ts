// Files that others read and write too, by name.
export { type GgufFile, type GgufOptions, openGguf } from "./gguf/gguf.ts";
export type { GgufValue } from "./gguf/metadata.ts";
export { type Llama2cConfig, type Llama2cFile, openLlama2c } from "./llama2c/llama2c.ts";
export { type Llama2cTokenizer, parseLlama2cTokenizer } from "./llama2c/tokenizer.ts";
export { type ModelSpec, type NodeSpec, readModel, writeModel } from "./onnx/model.ts";
export { openSafetensors, openSharded, openTensors, parseIndex } from "./open.ts";
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
export type { TensorEntry, TensorFile } from "./tensor-file.ts";
export type { Pickled } from "./torch/pickle.ts";
export { openTorch, type TorchFile } from "./torch/torch.ts";
