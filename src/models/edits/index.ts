// Everything about changing a model's weights, by name.
export { hashTensor } from "./draft.ts";
export {
  centreUnembed,
  centreWritingWeights,
  foldNorms,
  foldValueBiases,
  type NumberEdit,
  type Processing,
  parseEdit,
  processingKinds,
  type TensorSource,
  type WeightEdit,
} from "./edit.ts";
export {
  type EditStack,
  editStack,
  parseStack,
  pushEdit,
  redoEdit,
  undoEdit,
  viewStack,
} from "./stack.ts";
export { type EditedModel, editModel, type ViewOptions } from "./view.ts";
