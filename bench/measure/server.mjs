/**
 * A server process: one contestant, or several side by side in one process, told over IPC to say what it has used.
 * Started by the runner as `server.mjs <JSON of { label: { contestant, ...options } }>`.
 */
import { serveCommands } from "./processes.mjs";

const servers = {};
const controls = {};
for (const [label, { contestant, ...options }] of Object.entries(JSON.parse(process.argv[2]))) {
  const { start } = await import(`../contestants/${contestant}.mjs`);
  const { control, ...about } = await start(options);
  servers[label] = about;
  controls[label] = control;
}

serveCommands({
  /** `{ label: { port, before? } }` */
  servers: () => servers,
  /** Changes a setting of a running contestant that has some. */
  control: ({ label, ...settings }) => controls[label](settings),
  /** CPU time so far, in microseconds. */
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  /** Ends the process in order, so that it can leave a profile. */
  exit: () => process.exit(0),
  /**
   * Memory after full collections: as many as it takes until two in a row leave the same. What a connection that has just gone
   * held is freed over several turns, and what ran once stays for some collections. Needs `--expose-gc`.
   */
  async memory() {
    let same = 0;
    let last = Infinity;
    for (let i = 0; i < 30 && same < 2; i++) {
      globalThis.gc();
      const { heapUsed } = process.memoryUsage();
      same = Math.abs(heapUsed - last) < 2_000 ? same + 1 : 0;
      last = heapUsed;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    return process.memoryUsage();
  },
});
