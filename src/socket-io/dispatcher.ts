import type { Socket } from "socket.io";
import { Context, listedArguments, oneArgument, type Shape } from "../dispatch/context.js";
import { dispatch } from "../dispatch/dispatch.js";
import type { Acknowledge } from "../dispatch/reply.js";
import type { OpenEvent } from "./open-events.js";
import { markOwn } from "./own-listeners.js";

/** The listener that a socket carries for one event; shared by all sockets of the namespace. */
export type Dispatcher = (this: Socket, ...args: unknown[]) => void;

/** Makes the one dispatcher of an event. Socket.IO calls it with the socket as `this`, after the application's middleware. */
export function createDispatcher(entry: OpenEvent): Dispatcher {
  const { arrivals } = entry;
  const { requests, traffic } = entry.state;
  // By name and by `arguments`: a list of all of them would have to be made for every event.
  return markOwn(function dispatcher(this: Socket, first?: unknown, second?: unknown): void {
    const count = arguments.length;
    let given = first;
    let shape: Shape = 0;
    let ack: Acknowledge | undefined;
    // What is decoded from a packet is data, so a function can only be the acknowledgement that Socket.IO put there.
    if (count === 2 && typeof second === "function") {
      shape = oneArgument;
      ack = second as Acknowledge;
    } else if (count === 1) {
      if (typeof first === "function") ack = first as Acknowledge;
      else shape = oneArgument;
    } else if (count > 1) {
      const list: unknown[] = [];
      for (let i = 0; i < count; i++) list.push(arguments[i]);
      if (typeof list[count - 1] === "function") ack = list.pop() as Acknowledge;
      given = list;
      shape = listedArguments;
    }
    if (arrivals.any) arrivals.arrived(this, ack);
    if (ack !== undefined && requests.any && requests.answer(entry, this, given, shape, ack, traffic)) return;
    const context = new Context(entry, this, given, shape, ack);
    if (traffic.attention === 0) dispatch(entry, context);
    else traffic.receive(entry, context);
  }, "dispatcher");
}

/**
 * Calls `fn` when events that have been observed, and were not kept by middleware, have reached their dispatchers: Socket.IO calls
 * these a tick after the middleware (`Socket.dispatch` in socket.ts), and this may itself be called from middleware, before that tick
 * has been asked for.
 */
export function afterArrivals(fn: () => void): void {
  process.nextTick(() => process.nextTick(fn));
}
