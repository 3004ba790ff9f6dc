import { createRequire } from "node:module";

/**
 * `require` from where this package stands. What ships is CommonJS and has one; the sources run as ES modules in our own tests
 * and examples, and those are started where our `node_modules` are.
 */
export const ownRequire: NodeJS.Require = typeof require === "function" ? require : createRequire(`${process.cwd()}/`);
