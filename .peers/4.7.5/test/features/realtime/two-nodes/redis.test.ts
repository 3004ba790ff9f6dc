import { needs } from "../../../fixtures/needs.js";
import { startOnRedis } from "./redis.js";
import { testTwoNodes } from "./two-nodes-suite.js";

needs("redis")("with two nodes joined by Redis streams", () => testTwoNodes(startOnRedis));
