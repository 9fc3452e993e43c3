// Everything that runs programs, by name.
export type { Backend, CompileOptions, Executable } from "./backend.ts";
export { type BuildInfo, buildDifferences, buildInfo } from "./build.ts";
export { largePages, type PageOptions } from "./large-pages.ts";
export { outputLimitBytes, rowsPerRun, workShare } from "./limits.ts";
export { defaultThreads } from "./options.ts";
export { type OrtOptions, ortBackend, racing } from "./ort.ts";
export { referenceBackend } from "./reference.ts";
