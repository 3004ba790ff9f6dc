import { vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { inRedis } from "./backends.js";
import { queueSuite } from "./queue-suite.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

needs("redis")("jobs on BullMQ in Redis", () => queueSuite(inRedis));
