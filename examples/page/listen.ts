import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { giveUp, numberFrom } from "./settings.js";

/** Where the examples listen: `PORT`, or 3000; 0 is any port that is free. */
export function portFromEnvironment(): number {
  return numberFrom("PORT", 3000, [0, 65_535]);
}

/** Listens on this machine only. Resolves to the address for the browser; a port that can't be had ends the program. */
export async function listen(httpServer: Server, port: number): Promise<string> {
  await new Promise<void>((resolve) => {
    httpServer.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === "EADDRINUSE" ? "another program listens there" : message;
      giveUp(`PORT ${port} can't be used, ${why}; choose another one, or PORT=0 for any that is free`);
    });
    httpServer.listen(port, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
}
