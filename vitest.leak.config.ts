import { defineConfig } from "vitest/config";

// The growth checks: one after the other, because a neighbour's memory pressure would show in their figures.
export default defineConfig({
  test: {
    include: ["test/leak/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 240_000,
  },
});
