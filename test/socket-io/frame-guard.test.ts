import { describe, expect, it } from "vitest";
import { hasMoreArguments, hasMorePlaceholders } from "../../src/socket-io/frames.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";

const zeros = (count: number): string => ",0".repeat(count);

describe("the arguments of a frame", () => {
  it("36,000 reach a listener of the application, and 20,000 a subscriber; a frame with more closes its connection instead of ending the process", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => {
      socket.on("bulk", (...args: unknown[]) => (args.pop() as (n: number) => void)(args.length));
    });
    app.ingress.subscribe("count", (_context, ...args: unknown[]) => args.length);
    app.ingress.subscribe("fails", () => {
      throw new Error("unexpected");
    });
    await using client = await RawClient.connect(app.url);
    client.frame(`420["bulk"${zeros(36_000)}]`);
    expect(await client.reply(0)).toEqual([36_000]);
    client.frame(`421["count"${zeros(20_000)}]`);
    expect(await client.reply(1)).toEqual([20_000]);
    // A subscriber is some calls further on, and there is a `try` around it.
    for (const [id, event] of [
      ["2", "count"],
      ["3", "fails"],
    ] as const) {
      client.frame(`42${id}["${event}"${zeros(36_000)}]`);
      expect(codeOf((await client.reply(id))[0])).toBe("INTERNAL");
    }
    client.frame(`424["nobody"${zeros(36_000)}]`);
    expect(codeOf((await client.reply(4))[0])).toBe("UNKNOWN_EVENT");
    for (const event of ["bulk", "count", "nobody"]) {
      const hostile = await RawClient.connect(app.url);
      hostile.frame(`421["${event}"${zeros(36_001)}]`);
      await hostile.untilClosed();
    }
    expect(await client.call(["count"], { id: 100 })).toEqual([0]);
    expect(
      app.log.lines.filter(({ level, message }) => level === "info" && message?.includes("maxArguments")),
    ).toHaveLength(1);
  });

  it("what is listed in one argument, or written in a string, is no argument", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("count", (_context, ...args: unknown[]) => args.length);
    await using client = await RawClient.connect(app.url);
    expect(await client.call(["count", Array.from({ length: 150_000 }, () => 0)])).toEqual([1]);
    expect(await client.call(["count", '",['.repeat(30_000)])).toEqual([1]);
  });

  it("are bounded by the option maxArguments, in acknowledgements and other namespaces, too", async () => {
    await using app = await serveIngress({ maxArguments: 3 });
    app.ingress.subscribe("count", (_context, ...args: unknown[]) => args.length, { namespace: "/side" });
    for (const frame of [`42["count"${zeros(4)}]`, `42/side,["count"${zeros(4)}]`, `437[0${zeros(4)}]`]) {
      const client = await RawClient.connect(app.url);
      await client.connect("/side");
      expect(await client.call(["count", 1, 2, 3], { namespace: "/side" })).toEqual([3]);
      client.frame(frame);
      await client.untilClosed();
    }
  });

  it("cost next to nothing to look at where a text has few commas", () => {
    const text = `2["say",${JSON.stringify("lorem ipsum ".repeat(90_000))}]`;
    const cost = (run: () => unknown): number => {
      let least = Infinity;
      for (let i = 0; i < 15; i++) {
        const since = process.hrtime.bigint();
        run();
        least = Math.min(least, Number(process.hrtime.bigint() - since));
      }
      return least;
    };
    const looking = cost(() => hasMoreArguments(text, 36_000));
    const parsing = cost(() => JSON.parse(text.slice(1)));
    expect(looking / parsing).toBeLessThan(0.5);
  });
});

describe("the attachments of a frame", () => {
  const holder = '{"_placeholder":true,"num":0}';

  it("one that is named more often than there are attachments closes its connection: an echo would send it each time", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("echo", (_context, ...args: unknown[]) => args);
    for (const key of ['"_placeholder"', '"\\u005fplaceholder"', '"_place\\u0068older" \n ']) {
      const client = await RawClient.connect(app.url);
      const one = `{${key}: true,"num":0}`;
      client.binary(`1-7["echo",[${Array.from({ length: 400 }, () => one).join(",")}]]`, Buffer.alloc(1_000));
      await client.untilClosed();
      expect(client.replies).toHaveLength(0);
    }
    const acknowledging = await RawClient.connect(app.url);
    acknowledging.frame(`461-7[[${holder},${holder}]]`);
    await acknowledging.untilClosed();
  });

  it("as many as there are pass, and so does data that looks like a placeholder and is none", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("size", (_context, ...args: unknown[]) => args.filter(Buffer.isBuffer).length);
    await using client = await RawClient.connect(app.url);
    const second = '{"_placeholder":true,"num":1}';
    const looks = '{"_placeholder":"your name","note":"\\"_placeholder\\":true"}';
    client.binary(`2-7["size",${holder},${second},${looks}]`, Buffer.alloc(10), Buffer.alloc(10));
    expect(await client.reply(7)).toEqual([2]);
  });

  it("a text of a megabyte full of quotes and spaces is looked at without harm", () => {
    for (const filler of ['"', '"_placeholder"', '"_placeholder" '.padEnd(1_000), '\\"', " "]) {
      const text = `51-["x",${filler.repeat(Math.ceil(1_000_000 / filler.length))}]`;
      expect(hasMorePlaceholders(text)).toBe(false);
    }
  });
});
