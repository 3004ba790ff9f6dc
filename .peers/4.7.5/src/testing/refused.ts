import { isFailure } from "../wire/failure.js";

/** A connection that the server refused: what socket.io-client tells as `connect_error`. */
export class ConnectRefused extends Error {
  /** Always `ConnectRefused`. */
  override readonly name = "ConnectRefused";
  /** What the server sent along, verbatim. */
  readonly data: unknown;
  /** The code in `data`, if there is one. */
  readonly code: string | undefined;

  /** Made by the kit when the server refuses a connection. */
  constructor(message: string, data: unknown, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.data = data;
    this.code = codeOf(data);
  }
}

function codeOf(data: unknown): string | undefined {
  if (isFailure(data)) return data.error.code;
  const code = (data as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
