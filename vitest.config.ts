import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name}`)
  .filter((name) => /\.test\.tsx?$/.test(name));

/** What counts the timers of a clock of its own, which those that another file left behind would get into. */
const withOwnClock = tests.filter((name) => readFileSync(name, "utf8").includes("useFakeTimers"));

/**
 * What `npm run test:quick` leaves out: whatever needs more than Node and `npm ci`, or more than a moment. A test that asks for a
 * program through `test/fixtures/needs.ts` and is not named here fails in the quick run and says so.
 */
export const slow = [
  "test/adversarial/**", // hostile clients and random events, each against a process of its own
  "test/chaos/**", // Redis
  "test/cli/{examples,modules}.test.ts", // a process for each command
  "test/conformance/**", // Python
  "test/examples/**", // a browser
  "test/client/react.test.ts", // a browser
  "test/features/collab/editors.test.ts", // a browser
  "test/features/notifications/bell.test.ts", // a browser
  "test/features/changes/list-react.test.ts", // a browser
  "test/features/plain/browser.test.ts", // a browser
  "test/features/plain/curl-and-python.test.ts", // curl, Python
  "test/**/*redis*.test.ts", // Redis
  "test/features/realtime/emitter.test.ts",
  "test/features/realtime/calls/call-stores.test.ts",
  "test/socket-io/recover-after-asking.test.ts",
  "test/**/*postgres*.test.ts", // PostgreSQL
  "test/repo/examples.test.ts", // every example, started and ended several times
  "test/promises/package.test.ts", // a build of everything, and programs that use it
  "test/repo/skipped.test.ts", // a run inside the run
  "test/features/changes/{list-cases,list-storm}.test.ts", // storms
  "test/features/limits/connections.test.ts", // heartbeats of nodes that are gone
  "test/features/collab/{collab,convergence,ended,hostile}.test.ts", // hundreds of edits, processes that end
  "test/features/auth/{client,expiry,intruders,renewal}.test.ts", // tokens that expire while one waits
  "test/types/messages.test.ts", // programs that must not compile, each by itself
  "test/repo/adopting.test.ts", // the guide's servers, one after the other
  "test/repo/compiles.test.ts", // a program of everything that the documents show and that must not compile
];

export default defineConfig(({ mode }) => ({
  resolve: { tsconfigPaths: true },
  test: {
    projects: [
      // Most files share the modules of those that ran before them: loading all of them anew took as long as the tests.
      {
        extends: true,
        mode,
        test: { name: "shared", include: ["test/**/*.test.{ts,tsx}"], exclude: withOwnClock, isolate: false },
      },
      { extends: true, mode, test: { name: "own clock", include: withOwnClock } },
    ],
    exclude: mode === "quick" ? [...configDefaults.exclude, ...slow] : configDefaults.exclude,
    env: { ...(mode === "quick" && { TEST_QUICK: "1" }), ...(mode === "soak" && { TEST_SOAK: "1" }) },
    // A file waits more than it works, so several go at a time where Vitest, with two cores, would run one after the other.
    maxWorkers: Math.max(mode === "quick" ? 4 : 3, availableParallelism() - 1),
    // What is to come is waited for with patience: these end what hangs, and nothing that is slow.
    setupFiles: ["test/fixtures/patience.ts"],
    expect: { poll: { timeout: 20_000, interval: 20 } },
    testTimeout: mode === "soak" ? 300_000 : 40_000,
    hookTimeout: 40_000,
    restoreMocks: true,
    unstubEnvs: true,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // It needs a page: editors.test.ts has it in Chromium, whose coverage is not collected.
      exclude: ["src/features/collab/client/bind-textarea.ts"],
      reporter: [["text", { skipFull: true }], "html"],
      reportOnFailure: true,
      thresholds: { branches: 95, functions: 95, lines: 95, statements: 95 },
    },
  },
}));
