// Which version of the package runs, and where its own files lie.
export { packageRoot, packageVersion } from "../base/package.ts";
