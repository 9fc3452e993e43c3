import { defineConfig } from "tsdown";

// Declarations are made for publishing only (`npm run build` asks for them): `npm start` does without.
export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/*.test.ts", "!src/**/*.fixture.ts", "!src/**/*.as.ts"],
  outDir: "dist",
  format: "esm",
  platform: "node",
  target: "node20.19",
  unbundle: true,
  fixedExtension: false,
  dts: false,
  logLevel: "warn",
});
