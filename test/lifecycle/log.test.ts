import { execFileSync } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { EventError, type Logger, SocketIngress } from "socket-ingress";
import { fakeServer } from "socket-ingress/testing";
import { defaultLogger } from "../../src/lifecycle/default-logger.js";
import { shortName, writeLog } from "../../src/lifecycle/log.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";

describe("a log line", () => {
  it("bears the first part of an event name that a client made half a megabyte long", async () => {
    await using app = await serveIngress();
    const client = await app.connect();
    await client.emitWithAck("x".repeat(500_000));
    const line = app.log.lines.find(({ fields }) => "event" in fields);
    expect(line?.fields["event"]).toBe(`${"x".repeat(120)}…`);
    expect(shortName("as it is")).toBe("as it is");
  });

  it("says of an event whose name is no string what it is instead", () => {
    expect([shortName(undefined), shortName(() => 1), shortName(5)]).toEqual(["undefined", "function", "number"]);
  });

  it("is tried again without its error by a logger that fails, and says so", () => {
    const written: object[] = [];
    const failing = recordingLog();
    const error = (fields: object | string): void => {
      if (typeof fields === "string" || "err" in fields) throw new Error("it can't be serialised");
      written.push(fields);
    };
    writeLog({ ...failing, error }, "error", { event: "x", err: new Error("x") }, "it failed");
    expect(written).toEqual([{ event: "x", reason: "an error that can't be serialised" }]);
  });

  it("without an error is tried again as it is, and standard error is the last resort", () => {
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    let tries = 0;
    const warn = (): void => {
      if (++tries < 3) throw new Error("full");
    };
    writeLog({ ...recordingLog(), warn }, "warn", { event: "x" }, "a line");
    expect([tries, stderr.mock.calls]).toEqual([2, [["socket-ingress: the logger failed (Error: full) on: a line\n"]]]);
    writeLog({ ...recordingLog(), warn }, "warn", { event: "x" }, "another line");
    expect([tries, stderr.mock.calls.length]).toEqual([3, 1]);
  });
});

describe("what clients are to blame for", () => {
  it("is a line each at debug, and one line a second at info: 2,001 refused events are no 2,001 warnings", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("x", () => {
      throw new EventError("FORBIDDEN", "not you");
    });
    const client = await app.connect();
    const now = vi.spyOn(performance, "now").mockReturnValue(1_000_000);
    const flood = (n: number) => Promise.all(Array.from({ length: n }, () => client.emitWithAck("x")));
    await flood(2_000);
    now.mockReturnValue(1_001_000);
    await flood(1);
    now.mockRestore();
    const at = (level: string) => app.log.lines.filter((line) => line.level === level);
    expect([at("warn"), at("error")]).toEqual([[], []]);
    expect(at("debug")).toHaveLength(2_001);
    expect(at("info").map(({ message, fields }) => [message, fields["times"]])).toEqual([
      ['subscriber refused "x"', 1],
      ['2000 events were refused; the last: subscriber refused "x"', 2_000],
    ]);
    expect(at("info")[0]?.fields).toMatchObject({ event: "x", code: "FORBIDDEN", reason: "not you" });
  });

  it("is the same of invalid input, of what waits in vain, and of connections that are closed for what they send", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 0, maxArguments: 5 });
    const gate = deferred();
    app.ingress.subscribe("input", () => undefined, { input: z.string() });
    app.ingress.subscribe("slow", () => gate.promise);
    app.ingress.subscribe("lane", () => gate.promise, { concurrency: 1, queueMax: 0 });
    const client = await app.connect();
    await client.emitWithAck("input", 5);
    const slow = client.emitWithAck("slow");
    expect(codeOf(await client.emitWithAck("slow"))).toBe("OVERLOADED");
    gate.resolve();
    await slow;
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    client.emit("x", 1, 2, 3, 4, 5, 6);
    await gone;
    expect(app.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
    expect(app.log.lines.filter(({ level }) => level === "info")).toHaveLength(3);
  });

  it("makes no line at all where debug lines are not written", async () => {
    const log = Object.assign(recordingLog(), { isLevelEnabled: (level: string) => level !== "debug" });
    const ingress = new SocketIngress({ logger: log });
    ingress.subscribe("x", () => {
      throw new EventError("FORBIDDEN", "not you");
    });
    await ingress.dispatch("x");
    log.lines.length = 0;
    await ingress.dispatch("x");
    expect(log.lines).toEqual([]);
  });

  it("who subscribed is warned once of a refusal that keeps nobody from running", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    ingress.subscribe("x", () => {
      throw new EventError("FORBIDDEN", "not you");
    });
    ingress.subscribe("x", () => "done");
    for (let n = 0; n < 10; n++) await ingress.dispatch("x");
    const warnings = log.lines.filter(({ level }) => level === "warn");
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining("guard: true")]);
  });

  it("does not hide a fault that somebody says of themselves", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    ingress.subscribe("x", () => {
      throw new EventError("INTERNAL", "my database is gone");
    });
    await ingress.dispatch("x");
    expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
  });
});

describe("the logger that is used when none is given", () => {
  const mark = Symbol.for("socket-ingress.testing");
  const outside = globalThis as { [mark]?: boolean };

  /** What it writes for `write`, on a terminal or not, in a test or not. */
  function written({ tty, testing }: { tty: boolean; testing: boolean }, write: (log: Logger) => void): string {
    const lines: string[] = [];
    const isKitHere = outside[mark];
    delete outside[mark];
    for (const name of ["VITEST", "JEST_WORKER_ID", "NODE_TEST_CONTEXT"]) vi.stubEnv(name, undefined);
    vi.stubEnv("NO_COLOR", "1");
    const { isTTY } = process.stdout;
    process.stdout.isTTY = tty;
    const out = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => (lines.push(String(chunk)), true));
    if (testing) fakeServer();
    try {
      write(defaultLogger());
    } finally {
      out.mockRestore();
      process.stdout.isTTY = isTTY;
      vi.unstubAllEnvs();
      if (isKitHere === undefined) delete outside[mark];
      else outside[mark] = isKitHere;
    }
    return lines.join("");
  }

  const all = (log: Logger): void => {
    const child = log.child({ handler: "chat", socketId: "abc" });
    child.debug("not written");
    child.info({ event: "say" }, "a line");
    child.warn({ event: "\u001B[2J" }, "a warning\u0007");
    child.error({ err: new TypeError("it broke"), count: 2 }, "it failed");
  };

  it("writes lines that a person can read on a terminal, where clients can't move the cursor", () => {
    const text = written({ tty: true, testing: false }, all);
    const [info, warn, error, stack] = text.split("\n");
    expect(info).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d info {2}a line {2}handler=chat socketId=abc event=say$/);
    expect(warn).toMatch(/ warn {2}a warning\\x07 {2}handler=chat socketId=abc event='\\x1B\[2J'$/i);
    expect(error).toMatch(/ error it failed {2}handler=chat socketId=abc count=2$/);
    expect(stack).toBe("    TypeError: it broke");
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it("is pino elsewhere, and loads it with the first line that is written", () => {
    const module = new URL("../../src/lifecycle/default-logger.ts", import.meta.url).href;
    const program = `
      import { createRequire } from "node:module";
      const { cache } = createRequire(process.cwd() + "/");
      const loaded = () => Object.keys(cache).some((path) => path.includes("node_modules/pino/"));
      const { defaultLogger } = await import(${JSON.stringify(module)});
      const log = defaultLogger().child({ handler: "chat" });
      log.debug("not written");
      const before = loaded();
      log.warn({ event: "say" }, "a warning");
      console.log(JSON.stringify({ before, after: loaded() }));`;
    const { VITEST: _vitest, JEST_WORKER_ID: _jest, NODE_TEST_CONTEXT: _node, ...env } = process.env;
    const options = { env, encoding: "utf8" } as const;
    const out = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], options);
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    // pino writes in its own time.
    expect(lines).toHaveLength(2);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ level: 40, name: "socket-ingress", handler: "chat", event: "say", msg: "a warning" }),
        { before: false, after: true },
      ]),
    );
  });

  it("is silent in passing tests: with the test kit, and under a test runner", () => {
    expect(written({ tty: true, testing: true }, (log) => log.info("a line"))).toBe("");
    expect(written({ tty: false, testing: true }, (log) => log.info({ a: 1 }, "a line"))).toBe("");
    const out = vi.spyOn(process.stdout, "write");
    defaultLogger().info("a line");
    expect(out).not.toHaveBeenCalled();
    out.mockRestore();
  });

  it("says what is wrong in a test, for people", () => {
    const text = written({ tty: false, testing: true }, all);
    expect(text).toMatch(/warn .*\n.*error it failed.*\n {4}TypeError: it broke\n/);
  });
});
