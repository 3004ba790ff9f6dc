import { describe } from "vitest";
import { MemoryMemberships, MemoryWaitingRoom } from "socket-ingress/realtime";
import { testMemberships, testWaitingRoom } from "./memberships-contract.js";

describe("memberships in memory", () => testMemberships(() => new MemoryMemberships()));

describe("a waiting room in memory", () => testWaitingRoom(() => new MemoryWaitingRoom()));
