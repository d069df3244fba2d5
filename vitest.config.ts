import { defineConfig } from "vitest/config";

// Processes, not threads: the native engine is one per process, and e2e tests start servers of their own. One more than
// CI has cores, as many tests wait for a limit to pass.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/leak/**", "**/node_modules/**"],
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 3 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
