// Numbers in memory, by name.
export { narrowBF16, narrowF16, toFloat32, widenBF16, widenF16 } from "./half.ts";
export { type BlockType, blockTypes, widenBlocks } from "./quantized.ts";
export {
  allocate,
  bytesPerElement,
  type DType,
  f32,
  sizeOf,
  type Tensor,
  type TypedArrays,
  tensor,
  zeros,
} from "./tensor.ts";
