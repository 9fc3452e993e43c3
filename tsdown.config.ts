import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/*.test.ts", "!src/**/*.as.ts"],
  outDir: "dist",
  format: "esm",
  platform: "node",
  target: "node20.19",
  unbundle: true,
  fixedExtension: false,
  dts: false,
  logLevel: "warn",
});
