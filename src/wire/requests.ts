/**
 * Client to server, without an acknowledgement, directly before an event: `(requestId: string, event: string)`. The next event of that
 * name is a call that may be repeated under this id, and runs once.
 */
export const REQUEST = "ingress:request";

/** The longest request id a server accepts, in characters. */
export const REQUEST_ID_MAX = 128;
