// npm start: runs the start page, which has all examples, or the one that is named (`npm start -- market`). Plain JavaScript that imports
// nothing which npm brings: whoever has not installed anything yet is told so, instead of being shown a stack.
import { existsSync, readdirSync } from "node:fs";

const examples = new URL("../examples/", import.meta.url);
const mainOf = (example) =>
  ["main.ts", "server.ts"].map((file) => new URL(`${example}/${file}`, examples)).find((url) => existsSync(url));
const names = readdirSync(examples).filter(mainOf);
const [wanted = "home"] = process.argv.slice(2);

function giveUp(why) {
  console.error(why);
  process.exit(1);
}

if (!names.includes(wanted)) giveUp(`there is no example "${wanted}"; there are ${names.join(", ")}`);
try {
  const { register } = await import("tsx/esm/api");
  register();
  await import(mainOf(wanted));
} catch (error) {
  const missing = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (error.code !== "ERR_MODULE_NOT_FOUND" || missing === undefined) throw error;
  giveUp(`the package "${missing}" is not installed: run "npm ci" first, then "npm start" again`);
}
