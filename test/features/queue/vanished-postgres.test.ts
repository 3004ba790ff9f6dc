import { vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { isSoak } from "../../fixtures/soak.js";
import { inPostgres } from "./backends.js";
import { vanishedSuite } from "./vanished-suite.js";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

needs("postgres")("a worker that vanishes, and a PostgreSQL that restarts", () =>
  vanishedSuite(inPostgres, isSoak ? 10 : 1),
);
