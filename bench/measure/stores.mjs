/** Stores of the bench's own, of Debian's packages, each on a socket in a temporary folder. */
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const programs = () =>
  readdirSync("/usr/lib/postgresql")
    .map((version) => join("/usr/lib/postgresql", version, "bin"))
    .find((folder) => existsSync(join(folder, "initdb")));

/** Starts a program and resolves when it says that it is ready. */
async function started(file, args, { output, ...options }) {
  const child = spawn(file, args, {
    ...options,
    stdio: ["ignore", output === "stdout" ? "pipe" : "ignore", output === "stderr" ? "pipe" : "ignore"],
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
    child[output].on("data", (chunk) => chunk.toString().includes("ready to accept") && resolve());
  });
  return child;
}

/** Ends a program and removes its folder. */
const ending = (child, folder, signal) => async () => {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
  rmSync(folder, { recursive: true, force: true });
};

/** A Redis: what BullMQ connects with, and the function that ends it. */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "socket-ingress-bench-"));
  const path = join(folder, "redis.sock");
  const child = await started("redis-server", ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder], {
    output: "stdout",
  });
  return { connection: { path }, stop: ending(child, folder, "SIGKILL") };
}

/** A PostgreSQL, as another user than root: what BullMQ connects with, and the function that ends it. */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), "socket-ingress-bench-"));
  const id = (what) => Number(execFileSync("id", [what, "postgres"]).toString());
  const user = process.getuid() === 0 ? { uid: id("-u"), gid: id("-g") } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, env: { LC_ALL: "C", PATH: process.env.PATH } };
  const data = join(folder, "data");
  execFileSync(join(programs(), "initdb"), ["-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "-N"], {
    ...options,
    stdio: "ignore",
  });
  const settings = ["listen_addresses=", `unix_socket_directories=${folder}`, "fsync=off"];
  const child = await started(join(programs(), "postgres"), ["-D", data, ...settings.flatMap((one) => ["-c", one])], {
    ...options,
    output: "stderr",
  });
  return {
    connection: { host: folder, user: "bench", database: "postgres", migrate: true },
    stop: ending(child, folder, "SIGINT"),
  };
}
