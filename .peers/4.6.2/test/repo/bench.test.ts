import { describe, expect, test } from "vitest";

/** The bench is plain JavaScript with an install of its own; what judges its rows depends on nothing and is tried here. */
const load = async (file: string): Promise<Record<string, (...args: readonly unknown[]) => never>> =>
  (await import(new URL(`../../bench/measure/${file}.mjs`, import.meta.url).href)) as never;

describe("a row of the bench", async () => {
  const { verdict, ratio, figure } = await load("table");
  const { spread, median } = await load("statistics");

  test("is judged when its control says that nothing else was going on", () => {
    expect(verdict!(1.02, { atMost: 1.03 }, 1.004)).toBe("1.03 kept");
    expect(verdict!(1.04, { atMost: 1.03 }, 0.997)).toBe("1.03 **missed**");
    expect(verdict!(11, { atLeast: 12 }, 1.05, 0.1)).toBe("12 **missed**");
    expect(verdict!(13, { atLeast: 12 }, 0.95, 0.1)).toBe("12 kept");
  });

  test.each([1.05, 0.95])("is not judged when raw against raw is %s", (control) => {
    for (const atMost of [0.6, 1.03, 1.05, 1.1]) {
      expect(verdict!(1, { atMost }, control)).toBe(`${atMost}: the machine is too busy`);
    }
  });

  test("with a close target asks more of its control than one with a far target", () => {
    expect(verdict!(1, { atMost: 1.03 }, 1.02)).toBe("1.03: the machine is too busy");
    expect(verdict!(1, { atMost: 1.1 }, 1.02)).toBe("1.1 kept");
  });

  test("is not judged when its control could not be measured", () => {
    for (const control of [Number.NaN, null])
      expect(verdict!(1, { atMost: 1.1 }, control)).toBe("1.1: the machine is too busy");
  });

  test("that could not be measured says so, also when it comes from results.json", () => {
    const none = spread!([Number.NaN, median!([])]);
    for (const row of [none, JSON.parse(JSON.stringify(none))] as { median: unknown }[]) {
      expect(ratio!(row)).toBe("not measured");
      expect(figure!(row.median)).toBe("not measured");
      expect(verdict!(row.median, { atMost: 1.03 }, 1)).toBe("");
    }
  });

  test("is of the rounds in which it could be measured", () => {
    expect(spread!([1, Number.NaN, 3])).toEqual({ median: 2, min: 1, max: 3, values: [1, 3] });
  });
});

describe("rows that are measured one after another", async () => {
  const { onOneServer } = await load("rows");

  test("go on after one that fails, with a server of its own for the next", async () => {
    const opened: { ended: string[] }[] = [];
    const said: string[] = [];
    const open = async () => {
      const server = { ended: [] as string[] };
      opened.push(server);
      return { end: async () => server.ended.push("end"), stop: async () => server.ended.push("stop") };
    };
    const measured: number[] = [];
    await (onOneServer!([1, 2, 3], {
      open,
      title: (row: number) => `row ${row}`,
      log: (text: string) => said.push(text),
      async measure(_server: unknown, row: number) {
        if (row === 2) throw new Error("0 of 50 clients have called\n    at somewhere");
        measured.push(row);
      },
    }) as Promise<void>);
    expect(measured).toEqual([1, 3]);
    expect(said).toEqual(["row 2: not measured: 0 of 50 clients have called"]);
    expect(opened).toEqual([{ ended: ["stop"] }, { ended: ["end"] }]);
  });

  test("are none when no server can be opened, and the run goes on", async () => {
    const said: string[] = [];
    await (onOneServer!([1, 2], {
      open: () => Promise.reject(new Error("the machine is out of memory")),
      title: String,
      log: (text: string) => said.push(text),
      measure: () => Promise.reject(new Error("never asked")),
    }) as Promise<void>);
    expect(said).toEqual([
      "1: not measured: the machine is out of memory",
      "2: not measured: the machine is out of memory",
    ]);
  });
});

describe("a process of the bench", async () => {
  const { start } = await load("processes");
  interface Child {
    readonly pid: number;
    ask(command: string, options?: object, limits?: { withinMs: number }): Promise<unknown>;
    stop(): Promise<void>;
  }
  const serverOfNobody = (): Promise<Child> => start!("measure/server.mjs", ["{}"]);

  test("that does not answer in time is an error for whoever asked", async () => {
    const child = await serverOfNobody();
    await expect(child.ask("servers")).resolves.toEqual({});
    process.kill(child.pid, "SIGSTOP");
    await expect(child.ask("servers", {}, { withinMs: 1 })).rejects.toThrow("servers");
    await child.stop();
  });

  test("that has ended is an error for whoever asked, or asks", async () => {
    const child = await serverOfNobody();
    await expect(child.ask("exit")).rejects.toThrow("ended with code 0");
    await expect(child.ask("servers")).rejects.toThrow("ended");
    await child.stop();
  });
});
