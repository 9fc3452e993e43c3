import { configDefaults, defineConfig } from "vitest/config";

// Tests that only run when they are asked for: those that take minutes, and those of data that the
// project does not hold.
const asked: Readonly<Record<string, string>> = {
  long: "**/*.long.test.ts",
  real: "test/real/*.real.test.ts",
};

export default defineConfig(({ mode }) => {
  const only = asked[mode];
  return {
    test: {
      include: only === undefined ? ["{src,test,web}/**/*.test.ts"] : [only],
      exclude: [...configDefaults.exclude, ...(only === undefined ? Object.values(asked) : [])],
      testTimeout: only === undefined ? 30_000 : 600_000,
      hookTimeout: 60_000,
      pool: "forks",
      maxWorkers: 2,
    },
  };
});
