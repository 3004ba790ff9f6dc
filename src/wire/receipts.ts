/**
 * Server to client, with an acknowledgement, behind or around a push with receipts: `()`, the event directly before it has arrived; or
 * `(event, ...args)`, this is the event, to whoever has acknowledged one before.
 */
export const RECEIVED = "ingress:received";
