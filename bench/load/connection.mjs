/**
 * A Socket.IO client cut down to what a load client needs: a TCP socket, frames made beforehand, replies found by
 * their bytes. It costs about a microsecond per call, so that the server stays the busy side.
 */
import { connect } from "node:net";
import { payload, replyTail } from "./workload.mjs";

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const usualTail = Buffer.from(replyTail);

/** A masked WebSocket text frame, as a client has to send it. The mask is not zero, or the server would skip its work. */
export function frame(text) {
  const data = Buffer.from(text);
  const header =
    data.length < 126
      ? Buffer.from([0x81, 0x80 | data.length])
      : Buffer.from([0x81, 0xfe, data.length >> 8, data.length & 255]);
  const masked = Buffer.alloc(data.length);
  for (let i = 0; i < data.length; i++) masked[i] = data[i] ^ mask[i & 3];
  return Buffer.concat([header, mask, masked]);
}

/** The frames of `count` calls of an event, in one buffer: `["sync1", ...extra, payload]` with acknowledgement ids from 0. */
export function callFrames(event, count, { namespace = "/", before = [], argument = payload } = {}) {
  const prefix = namespace === "/" ? "42" : `42${namespace},`;
  const frames = [];
  for (let id = 0; id < count; id++) frames.push(frame(prefix + id + JSON.stringify([event, ...before, argument])));
  return Buffer.concat(frames);
}

/** One client connection, to one namespace or several. */
export class Connection {
  /** Called with the number of acknowledgements found in a chunk. */
  onReplies = () => {};
  /** Called with the number of event packets (pushes) found in a chunk. */
  onPushes = () => {};
  /** Called when the connection is gone. */
  onLost = () => {};
  /** What an acknowledgement has to end with. */
  tail = usualTail;
  /** Acknowledgements that were not the expected reply. */
  bad = 0;
  closed = false;

  constructor(port, namespaces = ["/"]) {
    this.port = port;
    this.joining = namespaces;
    this.joined = 0;
    this.rest = undefined;
  }

  /** Opens the TCP connection, upgrades it and joins the namespaces. */
  open() {
    return new Promise((resolve, reject) => {
      this.opened = resolve;
      this.failed = reject;
      this.tcp = connect({ port: this.port, host: "127.0.0.1", noDelay: true });
      this.tcp.on("error", reject);
      this.tcp.on("close", () => {
        this.closed = true;
        this.onLost();
        reject(new Error("the connection was closed"));
      });
      this.tcp.on("connect", () => {
        this.tcp.write(
          "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n" +
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
      });
      const handshake = (chunk) => {
        const text = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk]);
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) {
          this.rest = text;
          return;
        }
        this.rest = undefined;
        if (!text.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) return reject(new Error(String(text)));
        this.tcp.off("data", handshake);
        this.tcp.on("data", (data) => this.read(data));
        if (end + 4 < text.length) this.read(text.subarray(end + 4));
      };
      this.tcp.on("data", handshake);
    });
  }

  read(chunk) {
    let data = chunk;
    if (this.rest !== undefined) {
      data = Buffer.concat([this.rest, chunk]);
      this.rest = undefined;
    }
    let at = 0;
    let replies = 0;
    let pushes = 0;
    while (data.length - at >= 2) {
      let length = data[at + 1];
      let start = at + 2;
      if (length === 126) {
        if (data.length - at < 4) break;
        length = data.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (data.length - at < 10) break;
        length = Number(data.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      const end = start + length;
      if (end > data.length) break;
      if (data[at] === 0x81) {
        // "4" is an Engine.IO message; in it "2" is a Socket.IO event, "3" an acknowledgement, "0" and "4" are about joining
        const kind = data[start] === 0x34 ? data[start + 1] : 0;
        if (kind === 0x33) {
          replies++;
          const { tail } = this;
          if (length < tail.length || data.compare(tail, 0, tail.length, end - tail.length, end) !== 0) {
            this.bad++;
            this.badReply ??= data.toString("utf8", start, end);
          }
        } else if (kind === 0x32) {
          pushes++;
          const next = data[start + 2];
          if (next >= 0x30 && next <= 0x39) this.acknowledge(data.toString("latin1", start + 2, end));
        } else this.control(data.toString("utf8", start, end));
      }
      at = end;
    }
    if (at < data.length) this.rest = at === 0 ? data : data.subarray(at);
    if (replies > 0) this.onReplies(replies);
    if (pushes > 0) this.onPushes(pushes);
  }

  /** A push to the main namespace that asks: its id stands before the first bracket. */
  acknowledge(text) {
    this.tcp.write(frame(`43${text.slice(0, text.indexOf("["))}[]`));
  }

  control(text) {
    if (text.startsWith("0"))
      for (const namespace of this.joining) this.tcp.write(frame(namespace === "/" ? "40" : `40${namespace},`));
    else if (text.startsWith("40")) {
      if (++this.joined === this.joining.length) this.opened(this);
    } else if (text.startsWith("44")) this.failed(new Error(text));
    else if (text === "2") this.tcp.write(frame("3"));
  }

  close() {
    this.tcp.destroy();
  }
}

/** Opens `count` connections, `atOnce` at a time. */
export async function openMany(port, namespaces = ["/"], count, atOnce = 50) {
  const open = [];
  while (open.length < count) {
    const more = Math.min(atOnce, count - open.length);
    open.push(...(await Promise.all(Array.from({ length: more }, () => new Connection(port, namespaces).open()))));
  }
  return open;
}
