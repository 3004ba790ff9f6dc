import { describe, expect, it } from "vitest";
import { addressOf } from "../../../src/features/limits/address.js";

const from = (address: string, forwarded?: string | string[], trustProxy = 0): string =>
  addressOf({ address, headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded } }, trustProxy);

describe("where a client comes from", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::ffff:c000:207", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
    ["", ""],
    ["not an address", "not an address"],
  ])("%s is counted as %s", (address, counted) => {
    expect(from(address)).toBe(counted);
  });

  it.each([
    ["without proxies the header counts for nothing", "8.8.8.8", 0, "10.0.0.1"],
    ["one proxy", "8.8.8.8", 1, "8.8.8.8"],
    ["one proxy, and what the client wrote", "1.2.3.4, 8.8.8.8", 1, "8.8.8.8"],
    ["two proxies", "1.2.3.4, 8.8.8.8,  10.0.0.2", 2, "8.8.8.8"],
    ["fewer entries than proxies", "8.8.8.8", 2, "10.0.0.1"],
    ["no address", "unknown", 1, "10.0.0.1"],
    ["an empty entry", "8.8.8.8,", 1, "10.0.0.1"],
    ["a port", "8.8.8.8:4711", 1, "8.8.8.8"],
    ["brackets and a port", "[2001:db8:1:2::9]:4711", 1, "2001:db8:1:2::/64"],
    ["something endless", "8".repeat(100_000), 1, "10.0.0.1"],
    ["a list", ["1.2.3.4", "8.8.8.8"], 1, "8.8.8.8"],
  ])("behind proxies: %s", (_what, forwarded, trustProxy, counted) => {
    expect(from("10.0.0.1", forwarded, trustProxy)).toBe(counted);
  });
});
