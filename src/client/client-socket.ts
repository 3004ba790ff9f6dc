// Socket.IO's own types decide here: its listeners take `any`, and `off` may go without arguments.

/** What the client asks whoever makes the connections of a socket. */
export interface ClientManager {
  /** Whether connections that are lost are made again. */
  reconnection?(): boolean | undefined;
  /** Adds a listener. */
  on?(event: "reconnect_failed", listener: () => void): unknown;
  /** Removes a listener. */
  off?(event: "reconnect_failed", listener: () => void): unknown;
}

/**
 * What the client needs of a socket: a part of what `io()` of socket.io-client returns, whatever its event types are.
 * Nothing but types of socket.io-client is imported, so its version and its bundle stay yours.
 */
export interface ClientSocket {
  /** The id of the present connection. */
  readonly id?: string | undefined;
  /** Whether there is a connection now. */
  readonly connected: boolean;
  /** Whether the last reconnect brought back rooms and missed events (Socket.IO's connection state recovery). */
  readonly recovered?: boolean | undefined;
  /** `false` when it will not connect again by itself. */
  readonly active?: boolean;
  /** Whoever makes its connections, as socket.io-client's Manager. */
  readonly io?: ClientManager;
  /** Emits what may be dropped while the connection can't take it. */
  readonly volatile?: {
    /** Emits, or drops it. */
    emit(event: string, ...args: any[]): unknown;
  };
  /** Connects again. Without it, a connection that the server ended or refused is not tried again. */
  connect?(): unknown;
  /** The listeners of an event. Without it, pushes of topics with a history are heard by {@link Client.on} alone. */
  listeners?(event: string): ((...args: any[]) => void)[];
  /** Adds a listener. */
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Removes a listener. */
  off(event?: string, listener?: (...args: any[]) => void): unknown;
  /** Emits; a function as the last argument is called with what the server answers. */
  emit(event: string, ...args: any[]): unknown;
}
