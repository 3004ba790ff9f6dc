import type { Context } from "./context.js";
import { bareFailure } from "./failures.js";
import { toFailure } from "../wire/to-failure.js";
import { holdsBinary, undecodable } from "../wire/sendable.js";
import { shortName, writeLog } from "../lifecycle/log.js";
import type { Failure } from "../wire/failure.js";

/*
 * How a reply reaches its caller. Socket.IO encodes inside the acknowledgement, before it counts as sent, so what can't be encoded
 * leaves the acknowledgement usable for what can. What the decoder at the other end would refuse is encoded, and ends the connection
 * there: that is looked for beforehand, and only where there is binary data, without which there is no such thing.
 */

/** Answers the caller; the last argument of an event that was sent with an acknowledgement. */
export type Acknowledge = (...reply: unknown[]) => void;

/** Answers with a value, or with `INTERNAL` if it can't be encoded. {@link Context.finish} does the same once more. */
export function sendValue(context: Context, ack: Acknowledge, value: unknown): void {
  try {
    checkDecodable(context, value);
    if (context.errorFirst) {
      if (value === undefined) ack(null);
      else ack(null, value);
    } else if (value === undefined) ack();
    else ack(value);
  } catch (thrown) {
    sendInstead(context, ack, thrown);
  }
}

/**
 * Costs a look at each part of a value, half of what Socket.IO takes to look for binary data itself.
 *
 * @throws TypeError for what encodes, but can't be decoded where it goes to
 */
export function checkDecodable(context: Context, value: unknown): void {
  if (!holdsBinary(value) || context.byHand) return;
  const reason = undecodable(value, context.state.parser);
  if (reason !== undefined) throw new TypeError(`the reply can't be sent: ${reason}`);
}

/** A value could not be sent: the error subscribers are told of what was thrown, the caller hears `INTERNAL`. */
export function sendInstead(context: Context, ack: Acknowledge, thrown: unknown): void {
  context.fail(thrown);
  sendFailure(context, ack, toFailure(undefined));
}

/** Answers with a failure, without its details if these can't be encoded. */
export function sendFailure(context: Context, ack: Acknowledge, failure: Failure): void {
  try {
    if (failure.error.details !== undefined) checkDecodable(context, failure.error.details);
    ack(failure);
  } catch (thrown) {
    context.state.errors.tellOf(thrown, failure.error.code, context);
    // Code and message are strings, so this one can be encoded.
    ack(bareFailure(failure));
  }
}

/**
 * A failure that goes where an attempt to send what can't be encoded would end the process, as a refused connection does: without
 * its details if need be, which `onBare` is told of.
 */
export function encodable(failure: Failure, onBare: () => void): Failure {
  if (failure.error.details === undefined) return failure;
  try {
    JSON.stringify(failure.error.details);
    return failure;
  } catch {
    onBare();
    return bareFailure(failure);
  }
}

/** A caller was answered a second time by hand: a mistake of the subscriber, harmless to the caller. */
export function noteSecondReply(context: Context): void {
  const { event, namespace, state, subscription, socket } = context;
  state.counters.secondReplies++;
  writeLog(
    state.log,
    "warn",
    {
      event: shortName(event),
      namespace,
      handler: subscription?.handler,
      method: subscription?.method,
      socketId: socket?.id,
    },
    "a second reply to the same event was dropped",
  );
}
