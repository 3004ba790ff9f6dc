/** The method of a realtime door that has it counted for how many sockets volatile pushes are dropped; for the doors of this package. */
export const countDropped: unique symbol = Symbol("socket-ingress.countDropped");
