import { Server, type AddressInfo } from "node:net";

/**
 * Makes listening do nothing in this process: whoever asks a server to listen is told that it does, at the address it was to have, and no port
 * is taken. That holds for every server of Node's: HTTP, HTTPS, HTTP/2 and TCP.
 *
 * @returns the undo
 */
export function stopListening(): () => void {
  const addresses = new WeakMap<Server, AddressInfo | string>();
  const real = Object.getOwnPropertyDescriptor(Server.prototype, "listening");
  const { listen, address, close } = Server.prototype;

  Server.prototype.listen = function pretendToListen(this: Server, ...args: unknown[]): Server {
    const callback = args.findLast((arg) => typeof arg === "function");
    if (typeof callback === "function") this.once("listening", callback as () => void);
    addresses.set(this, addressOf(args));
    process.nextTick(() => addresses.has(this) && this.emit("listening"));
    return this;
  };
  Server.prototype.address = function pretendedAddress(this: Server) {
    return addresses.get(this) ?? address.call(this);
  };
  Server.prototype.close = function pretendToClose(this: Server, callback?: (error?: Error) => void): Server {
    if (!addresses.delete(this)) return close.call(this, callback);
    if (callback !== undefined) this.once("close", callback);
    process.nextTick(() => this.emit("close"));
    return this;
  };
  Object.defineProperty(Server.prototype, "listening", {
    configurable: true,
    get(this: Server) {
      return addresses.has(this) || (real?.get?.call(this) as boolean);
    },
  });
  return () => {
    Object.assign(Server.prototype, { listen, address, close });
    if (real !== undefined) Object.defineProperty(Server.prototype, "listening", real);
  };
}

/** The address that a server would have, by what it was told: `(port, host)`, `({ port, host })`, a path, or nothing of these. */
function addressOf([first, second]: readonly unknown[]): AddressInfo | string {
  const given = typeof first === "object" && first !== null ? (first as Record<string, unknown>) : undefined;
  const wanted = given === undefined ? first : (given["path"] ?? given["port"]);
  const host = given === undefined ? second : given["host"];
  if (typeof wanted === "string" && !/^\d+$/.test(wanted)) return wanted;
  const address = typeof host === "string" ? host : "::";
  const port = typeof wanted === "function" ? 0 : Number(wanted ?? 0);
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port };
}
