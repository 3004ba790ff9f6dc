/**
 * Server to client, with an acknowledgement, directly behind a push with receipts: `()`. Whoever acknowledges it has received the push.
 */
export const RECEIVED = "ingress:received";
