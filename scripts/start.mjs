// npm start: runs an example, the chat or the one that is named (`npm start market`). Plain JavaScript that imports
// nothing which npm brings: whoever has not installed anything yet is told so, instead of being shown a stack.
import { existsSync, readdirSync } from "node:fs";

const examples = new URL("../examples/", import.meta.url);
const serverOf = (example) => new URL(`${example}/server.ts`, examples);
const names = readdirSync(examples).filter((name) => existsSync(serverOf(name)));
const [wanted = "chat"] = process.argv.slice(2);

function giveUp(why) {
  console.error(why);
  process.exit(1);
}

if (!names.includes(wanted)) giveUp(`there is no example "${wanted}"; there are ${names.join(", ")}`);
try {
  const { register } = await import("tsx/esm/api");
  register();
  await import(serverOf(wanted));
} catch (error) {
  const missing = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (error.code !== "ERR_MODULE_NOT_FOUND" || missing === undefined) throw error;
  giveUp(`the package "${missing}" is not installed: run "npm ci" first, then "npm start" again`);
}
