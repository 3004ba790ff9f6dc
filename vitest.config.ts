import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: { include: ["test/**/*.test.ts", "test/**/*.test.tsx"], testTimeout: 10_000, restoreMocks: true },
});
