import { describe } from "vitest";
import { inMemory } from "./backends.js";
import { queueSuite } from "./queue-suite.js";

describe("jobs in memory", () => queueSuite(inMemory));
