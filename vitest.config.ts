import { configDefaults, defineConfig } from "vitest/config";

const long = "**/*.long.test.ts";

// `--mode long` runs the tests that take minutes, and only those.
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === "long" ? [long] : ["{src,test,web}/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(mode === "long" ? [] : [long])],
    testTimeout: mode === "long" ? 600_000 : 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
}));
