/**
 * Client to server, acknowledged: `()`. Answers with `{}` when the client has been sent all that any node had pushed to its topics with
 * history before: for whoever has read something by another way, and wants to hear first what it can hold.
 */
export const CAUGHT_UP = "ingress:caughtup";
