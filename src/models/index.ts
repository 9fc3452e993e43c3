// Everything about models, by name.
export { hashModel, loadModel, makeModel, type SaveOptions, saveModel } from "./checkpoint.ts";
export {
  checkWeights,
  largestRowBytes,
  type Model,
  type ModelConfig,
  parseConfig,
  weightShapes,
} from "./config.ts";
export {
  type GrowOptions,
  type GrowRows,
  type GrowStream,
  type GrowthLine,
  growModel,
} from "./grow.ts";
export { trainingProgram } from "./grow-program.ts";
export { initWeights } from "./init.ts";
export { nextTokenLosses } from "./loss.ts";
export { listOrganisms, loadOrganism, organismFolder, organismsFolder } from "./organisms.ts";
export { type BoundWeights, bindWeights } from "./parameters.ts";
export { permutedModel } from "./permuted.ts";
export {
  type Axis,
  findSite,
  type SiteInfo,
  type SiteRow,
  site,
  siteShape,
  sites,
  sitesOf,
  siteWidth,
} from "./sites.ts";
export {
  type ForwardOptions,
  forward,
  residual,
  type Tap,
  unembed,
  type Weights,
  weightInputs,
} from "./transformer.ts";
export { contextLosses, type ValidationRows } from "./validate.ts";
