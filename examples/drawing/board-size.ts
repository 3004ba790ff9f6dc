// Apart from the schemas, which are the server's: the page's script takes these two along, not the validator.

/** How wide a board is, whatever the size of a window. */
export const WIDTH = 1600;
/** How high a board is, whatever the size of a window. */
export const HEIGHT = 1000;
