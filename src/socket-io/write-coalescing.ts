import type { Engine, Engines } from "./engines.js";

/** Options of `coalesceWrites`. */
export interface WriteCoalescingOptions {
  /**
   * What is written at once at most, in bytes, up to 65536. A packet that may take more than that (three bytes a
   * character) is left to the engine: copying it would cost more than a write saves. It is also what a client that does
   * not read can keep from being freed.
   *
   * @default 16384
   */
  maxBytes?: number;
}

/** What the engine's `flush` event tells of a packet. A frame "made beforehand" is a list of buffers to be written in turn. */
interface Packet {
  type: string;
  data?: unknown;
  options?: { readonly wsPreEncodedFrame?: Buffer[] } | undefined;
}

/** The part of an Engine.IO socket that is read here. */
interface EngineSocket {
  readonly protocol: number;
  readonly transport: { readonly name: string };
}

/**
 * Writes the packets that wait for a connection at once, as one buffer, where the engine would write each on its own,
 * header and payload apart. Most of what an acknowledged event costs is writing its reply, so this is where a server's
 * time is to be had back: replies to several calls, or several pushes in a turn, leave in one system call. Packets and their order
 * are those that Socket.IO alone writes, so it is on unless it is switched off (decision 0018).
 *
 * Nothing is held back for it. The engine says what it is about to write (its `flush` event) and the frames are merged
 * there and then: same bytes, same order, same turn. Binary packets, long ones, polling, WebTransport, clients of
 * Engine.IO 3 and servers with `perMessageDeflate` are left to the engine.
 *
 * One listener for an engine, nothing for a connection.
 *
 * @returns the function that undoes it; what is still to be written then is written by the engine alone
 */
export function coalesceWrites(engines: Engines, { maxBytes = 16_384 }: WriteCoalescingOptions = {}): () => void {
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes > 65_536) {
    throw new TypeError(`maxBytes must be an integer from 1 to 65536, not ${String(maxBytes)}`);
  }
  const undone: (() => void)[] = [];
  const unfollow = engines.follow((engine) => void undone.push(mergeFrames(engine, maxBytes)));
  return () => {
    unfollow();
    for (const undo of undone.splice(0)) undo();
  };
}

function mergeFrames(engine: Engine, maxBytes: number): () => void {
  /** Whether transports of this engine write frames made beforehand; unknown until one was asked to. */
  let isSure = false;
  /** Frames are written into one buffer after the other: an allocation for a hundred replies instead of one for each. */
  let page = Buffer.alloc(0);
  let used = 0;
  /** The frames of the last broadcasts that were merged, and what they were merged to: the next receiver has the same. */
  const shared: Buffer[][] = [];
  let sharedPacket: Packet | undefined;

  const onFlush = ({ protocol, transport }: EngineSocket, packets: Packet[]): void => {
    if (transport.name !== "websocket" || protocol !== 4) return;
    if (!isSure) ask(packets[0] as Packet);
    else if (packets.length === 1) alone(packets[0] as Packet);
    else together(packets);
  };
  const undo = (): void => {
    engine.off("flush", onFlush);
    sharedPacket = undefined;
    shared.length = 0;
    page = Buffer.alloc(0);
    used = 0;
  };

  /**
   * Not every transport called "websocket" takes such frames (uWebSockets.js and eiows don't, nor do ours under
   * compression), and dropping packets in favour of a frame that is ignored would lose them. So the first packet is given
   * both, its data and a frame that notices being read. The engine reads it only to write it.
   */
  function ask(packet: Packet): void {
    let frame = packet.options?.wsPreEncodedFrame;
    if (frame === undefined) {
      if (!makeRoom(packet)) return;
      frame = [page.subarray(write(packet), used)];
    }
    const list = frame;
    packet.options = {
      get wsPreEncodedFrame() {
        isSure = true;
        return list;
      },
    };
    // emitted as soon as the transport has been given the packets, before anything else can be flushed
    engine.once("drain", () => {
      if (!isSure) undo();
    });
  }

  function alone(packet: Packet): void {
    const frame = packet.options?.wsPreEncodedFrame;
    if (frame === undefined) {
      if (makeRoom(packet)) packet.options = { wsPreEncodedFrame: [page.subarray(write(packet), used)] };
    } else if (frame.length > 1 && mostBytes(packet) <= maxBytes) {
      // a broadcast's list is shared by its receivers: joined for one, it is joined for all
      frame.splice(0, frame.length, Buffer.concat(frame));
    }
  }

  function together(packets: Packet[]): void {
    const count = packets.length;
    if (sharedPacket !== undefined && isShared(packets)) {
      packets[0] = sharedPacket;
      packets.length = 1;
      return;
    }
    sharedPacket = undefined;
    shared.length = 0;
    let kept = 0;
    let start = used;
    for (let i = 0; i < count; i++) {
      const packet = packets[i] as Packet;
      const frame = packet.options?.wsPreEncodedFrame;
      if (frame !== undefined) shared.push(frame);
      const before = page;
      const end = used;
      const fits = makeRoom(packet);
      if ((!fits || page !== before) && end > start) packets[kept++] = mergedPacket(before.subarray(start, end));
      if (!fits) packets[kept++] = packet;
      if (!fits || page !== before) start = used;
      if (fits) write(packet);
    }
    if (used > start) packets[kept++] = mergedPacket(page.subarray(start, used));
    packets.length = kept;
    if (kept === 1 && shared.length === count) sharedPacket = packets[0];
    else shared.length = 0;
  }

  function isShared(packets: Packet[]): boolean {
    if (packets.length !== shared.length) return false;
    for (let i = 0; i < shared.length; i++) {
      if (packets[i]?.options?.wsPreEncodedFrame !== shared[i]) return false;
    }
    return true;
  }

  /** Turns to a new page where the packet might not fit on this one. False for a packet that is left to the engine. */
  function makeRoom(packet: Packet): boolean {
    const most = mostBytes(packet);
    if (most > maxBytes) return false;
    if (most > page.length - used) {
      page = Buffer.allocUnsafeSlow(maxBytes);
      used = 0;
    }
    return true;
  }

  /** Writes a packet's frame to the page and returns where it begins. */
  function write({ data, options }: Packet): number {
    const start = used;
    const frame = options?.wsPreEncodedFrame;
    if (frame === undefined) used = writeFrame(page, start, data as string);
    else for (let i = 0; i < frame.length; i++) used += (frame[i] as Buffer).copy(page, used);
    return start;
  }

  engine.on("flush", onFlush);
  return undo;
}

const mergedPacket = (frames: Buffer): Packet => ({ type: "message", options: { wsPreEncodedFrame: [frames] } });

/** The most a packet's frame can take, Infinity for a packet that is not a text message. */
function mostBytes({ type, data, options }: Packet): number {
  if (type !== "message") return Infinity;
  const frame = options?.wsPreEncodedFrame;
  if (frame === undefined) {
    // four bytes of header, the packet's type, and three bytes at most for a UTF-16 code unit
    return typeof data === "string" ? data.length * 3 + 5 : Infinity;
  }
  let size = 0;
  for (let i = 0; i < frame.length; i++) size += (frame[i] as Buffer).length;
  return size;
}

/** Writes an Engine.IO message as an unmasked, final WebSocket text frame (RFC 6455, section 5.2) and returns its end. */
function writeFrame(page: Buffer, start: number, data: string): number {
  // the header's size is that of an ASCII text: its length is only known once it is written
  const isShort = data.length < 125;
  let text = start + (isShort ? 2 : 4);
  const length = page.write(data, text + 1) + 1;
  page[text] = 0x34; // "4": a message
  page[start] = 0x81;
  if (length < 126) page[start + 1] = length;
  else {
    if (isShort) page.copyWithin(start + 4, text, text + length);
    text = start + 4;
    page[start + 1] = 126;
    page.writeUInt16BE(length, start + 2);
  }
  return text + length;
}
