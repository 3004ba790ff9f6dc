import type { DocumentStore } from "../features/collab/document-store.js";
import type { NotificationStore } from "../features/notifications/notification-store.js";
import type { Revocations } from "../features/auth/revocations.js";
import type { CallStore } from "../features/realtime/calls/call-store.js";
import type { QueueBackend } from "../features/queue/queue-backend.js";
import type { TopicLog } from "../push/topic-log.js";
import { describeValue, isObject } from "../wire/values.js";
import { callStoreContract } from "./call-store-contract.js";
import { notificationStoreContract } from "./notification-store-contract.js";
import { documentStoreContract } from "./document-store-contract.js";
import { queueBackendContract } from "./queue-backend-contract.js";
import { revocationsContract } from "./revocations-contract.js";
import { topicLogContract } from "./topic-log-contract.js";

/** One sentence of what a port promises, as any runner can run it. */
export interface ContractCase {
  /** What has to hold. */
  readonly name: string;
  /** Tries it. Rejects with an `AssertionError` if it does not hold. Cases of one port run one after another. */
  readonly run: () => Promise<void>;
}

/**
 * What a port of this package promises, as cases for the implementation that is given: run them one after another, under any test
 * runner. They leave nothing that later ones stumble over, so an implementation may be given in use, if nobody else uses it meanwhile.
 *
 * @throws TypeError if it is none of the ports
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { MemoryTopicLog } from "socket-ingress/realtime";
 * import { contract } from "socket-ingress/testing";
 *
 * for (const { name, run } of contract(new MemoryTopicLog())) test(name, run);
 * ```
 */
export function contract(
  port: TopicLog | CallStore | NotificationStore | Revocations | QueueBackend | DocumentStore,
): ContractCase[] {
  if (has<TopicLog>(port, ["append", "head", "since", "after"])) return topicLogContract(port);
  if (has<CallStore>(port, ["claim", "renew", "answer", "forget", "carry"])) return callStoreContract(port);
  if (has<NotificationStore>(port, ["add", "page", "mark", "prune"])) return notificationStoreContract(port);
  if (has<Revocations>(port, ["revoke", "revokedUntil"])) return revocationsContract(port);
  if (has<QueueBackend>(port, ["add", "consume", "find", "depths", "retryDead"])) return queueBackendContract(port);
  if (has<DocumentStore>(port, ["load", "append"])) return documentStoreContract(port);
  throw new TypeError(`contract expects an implementation of a port, such as a TopicLog, got ${describeValue(port)}`);
}

function has<One>(port: unknown, methods: readonly (keyof One & string)[]): port is One {
  return isObject(port) && methods.every((method) => typeof (port as Record<string, unknown>)[method] === "function");
}
