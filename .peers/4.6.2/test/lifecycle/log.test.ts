import { describe, expect, it, vi } from "vitest";
import { SocketIngress } from "socket-ingress";
import { shortName, writeLog } from "../../src/lifecycle/log.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serveIngress } from "../fixtures/ingress.js";

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

  it("of an ingress that was given no logger goes to standard output as pino writes it", async () => {
    const ingress = new SocketIngress();
    const child = vi.fn();
    ingress.subscribe("x", ({ log }) => child(log.info, log.child));
    await ingress.dispatch("x");
    expect(child).toHaveBeenCalledExactlyOnceWith(expect.any(Function), expect.any(Function));
  });
});
