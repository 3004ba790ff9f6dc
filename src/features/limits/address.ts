import { isIP } from "node:net";

/** As much of a handshake as says where a client comes from. */
export interface Handshake {
  readonly address: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Where a client comes from, as one budget counts it: an IPv4 address, or the /64 of an IPv6 one, which a subscriber has whole.
 *
 * Behind `trustProxy` proxies it is what the outermost of them has seen: that many entries from the right of `x-forwarded-for`, since what
 * stands further left a client may have written itself. Where there are fewer, or that one is no address, the peer counts.
 */
export function addressOf({ address, headers }: Handshake, trustProxy: number): string {
  return networkOf(forwardedFor(headers["x-forwarded-for"], trustProxy)) ?? networkOf(address) ?? address;
}

function forwardedFor(header: string | string[] | undefined, hops: number): string | undefined {
  if (hops === 0 || header === undefined) return undefined;
  const addresses = String(header).split(",");
  return addresses[addresses.length - hops]?.trim();
}

/** Some proxies write a port behind it, and brackets around an IPv6 address that has one. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;

function networkOf(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 100) return undefined;
  const [, six, four] = WITH_PORT.exec(text) ?? [];
  const [ip = ""] = (six ?? four ?? text).split("%");
  const version = isIP(ip);
  if (version === 4) return ip;
  return version === 6 ? prefixOf(ip) : undefined;
}

/** The first half of an IPv6 address; an IPv4 one that is written as such is that. */
function prefixOf(ip: string): string {
  const groups = groupsOf(ip);
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

function groupsOf(ip: string): number[] {
  const [head = [], tail] = ip.split("::").map(readGroups);
  if (tail === undefined) return head;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** Groups between colons; the last may be an IPv4 address, which is two. */
function readGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
