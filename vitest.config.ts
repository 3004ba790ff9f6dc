import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

/**
 * What `npm run test:quick` leaves out: whatever needs more than Node and `npm ci`, or more than a moment. A test that asks for a
 * program through `test/fixtures/needs.ts` and is not named here fails in the quick run and says so.
 */
export const slow = [
  "test/adversarial/**", // hostile clients and random events, each against a process of its own
  "test/chaos/**", // Redis
  "test/conformance/**", // Python
  "test/examples/**", // a browser
  "test/client/react.test.ts", // a browser
  "test/**/*redis*.test.ts", // Redis
  "test/features/realtime/emitter.test.ts",
  "test/features/realtime/calls/call-stores.test.ts",
  "test/socket-io/recover-after-asking.test.ts",
  "test/**/*postgres*.test.ts", // PostgreSQL
  "test/repo/examples.test.ts", // every example, started and ended several times
  "test/promises/package.test.ts", // a build of everything, and programs that use it
  "test/repo/skipped.test.ts", // a run inside the run
  "test/repo/compiles.test.ts", // a program of everything that the documents show and that must not compile
];

export default defineConfig(({ mode }) => ({
  resolve: { tsconfigPaths: true },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    exclude: mode === "quick" ? [...configDefaults.exclude, ...slow] : configDefaults.exclude,
    env: { ...(mode === "quick" && { TEST_QUICK: "1" }), ...(mode === "soak" && { TEST_SOAK: "1" }) },
    // A file waits more than it works, so two go at a time where Vitest, with two cores, would run one after the other.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: mode === "soak" ? 300_000 : 10_000,
    hookTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: [["text", { skipFull: true }], "html"],
      reportOnFailure: true,
      thresholds: { branches: 95, functions: 95, lines: 95, statements: 95 },
    },
  },
}));
