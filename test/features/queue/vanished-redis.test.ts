import { vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { isSoak } from "../../fixtures/soak.js";
import { inRedis } from "./backends.js";
import { vanishedSuite } from "./vanished-suite.js";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

needs("redis")("a worker that vanishes, and a Redis that restarts", () => vanishedSuite(inRedis, isSoak ? 10 : 3));
