import { describe } from "vitest";
import { startInCluster } from "./cluster.js";
import { testTwoNodes } from "./two-nodes-suite.js";

describe("with two nodes joined by Socket.IO's cluster adapter", () => testTwoNodes(startInCluster));
