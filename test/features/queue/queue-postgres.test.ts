import { vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { inPostgres } from "./backends.js";
import { queueSuite } from "./queue-suite.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

needs("postgres")("jobs on BullMQ in PostgreSQL", () => queueSuite(inPostgres));
