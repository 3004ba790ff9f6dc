/** A server for documents in a process of its own, whose CPU time can be asked. */
import { fileURLToPath } from "node:url";
import { kinds } from "../contestants/collab.mjs";
import { serveCommands } from "./processes.mjs";

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveCommands({ open: ({ kind }) => kinds[kind](), cpu });
