import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { ManagerDescription } from "socket-ingress";
import { io } from "socket.io-client";
import { afterAll, describe, expect, it } from "vitest";
import { explain, explainUnknown } from "../../src/cli/explain.js";
import { routes } from "../../src/cli/routes.js";
import { type MakeManager, ownPlace } from "../../examples/page/place.js";
import { root } from "../repo/source-files.js";
import { command, described } from "./run.js";

const SLOW = { timeout: 120_000 };

const examples = readdirSync(join(root, "examples")).filter((name) =>
  existsSync(join(root, "examples", name, "server.ts")),
);
const moduleOf = (example: string): string => `examples/${example}/server.ts`;

/** What is wrong with an example, and meant as it is. */
const findings: Record<string, string[]> = {
  chat: [],
  drawing: ["no-policy:board:{id}"],
  hello: ["no-input:greet"],
  home: ["no-policy:events"],
  market: ["no-time-limit:enter"],
  notes: [],
  posts: ["no-policy:post", "no-policy:post/{field}/{value}"],
};

/** The program itself, booted and listening in this process. */
async function serve(example: string) {
  const module = (await import(join(root, moduleOf(example)))) as { makeManager: MakeManager };
  const place = ownPlace();
  const manager = await module.makeManager(place);
  await manager.boot();
  place.httpServer.listen(0, "127.0.0.1");
  await once(place.httpServer, "listening");
  const url = `http://127.0.0.1:${(place.httpServer.address() as AddressInfo).port}`;
  return { manager, url };
}

// A program is made once in a process.
const serving = new Map<string, ReturnType<typeof serve>>();
function served(example: string): ReturnType<typeof serve> {
  const server = serving.get(example) ?? serve(example);
  serving.set(example, server);
  return server;
}
afterAll(async () => {
  await Promise.all([...serving.values()].map(async (server) => (await server).manager.shutdown({ graceMs: 0 })));
});

/** What there is, but for the places, which the command line alone knows, and which of its own classes a door uses. */
function known({ events, builtIn, ...rest }: ManagerDescription): unknown {
  const withoutOwner = builtIn.map((row) => ({ ...row, owner: undefined }));
  return JSON.parse(
    JSON.stringify({ ...rest, events, builtIn: withoutOwner, booted: undefined }, (key, value: unknown) =>
      key === "source" ? undefined : value === Infinity ? "no bound" : value,
    ),
  );
}

describe("the command line says of an example what its server really does", () => {
  it.for(examples)("%s: who listens and what there is, before anything is started", SLOW, async (name) => {
    const said = await described(moduleOf(name));
    // Those that can't be made a second time in this process are started in one of their own.
    const [isAlone, runs] = [name === "home", name === "hello"];
    const really = isAlone || runs ? await described(moduleOf(name), isAlone) : (await served(name)).manager.describe();
    expect(said.booted).toBe(runs);
    expect(known(said)).toEqual(known(really));
    for (const { source } of said.events) expect(source?.file ?? root).toContain(root);

    const lines = routes(said, { width: 90, cwd: root, title: (text) => text }).split("\n");
    expect(lines.filter((line) => line.length > 90)).toEqual([]);
    for (const { event, order, handler, method } of said.events) {
      const row = order === 1 ? `${event} ` : " ";
      const shown = lines.filter((line) => line.startsWith(row) && line.includes(`  ${order}  ${handler}.`));
      expect(shown, `${event} ${handler}.${method}`).not.toEqual([]);
    }
    for (const { has } of said.features)
      for (const topic of (has["topics"] ?? []) as { pattern: string }[])
        expect(lines.some((line) => line.startsWith(topic.pattern))).toBe(true);
  });

  it.for(examples)("%s: --check finds what is to be found, and no more", SLOW, async (name) => {
    const expected = findings[name] ?? [];
    const { code, out, err } = await command(["routes", moduleOf(name), "--check", "--timeout", "60"]);
    expect({ code, err }).toEqual({ code: expected.length === 0 ? 0 : 1, err: "" });
    expect(out.split("\n").filter((line) => /^[a-z-]+:\S+$/.test(line))).toEqual(expected);
  });

  it("chat's message: who comes first, what must be there, what is too much, what a failure is", SLOW, async () => {
    const [said, { url }] = await Promise.all([described(moduleOf("chat")), served("chat")]);
    const textOf = (event: string) =>
      explain(said, event, root)
        .flatMap(({ steps }) => steps)
        .flatMap(({ title, sentences }) => [title, ...sentences]);
    const client = io(url, { transports: ["websocket"], reconnection: false });
    const ask = (event: string, ...args: unknown[]): Promise<unknown> =>
      client.timeout(20_000).emitWithAck(event, ...args);
    try {
      await new Promise((resolve) => client.on("connect", () => resolve(undefined)));
      const [{ subscribers } = { subscribers: [] }] = explain(said, "message", root);
      expect(subscribers.map(({ handler, method }) => `${handler}.${method}`)).toEqual([
        "moderation.review",
        "rooms.post",
      ]);
      const required = subscribers[0]?.input?.[0]?.required;
      expect(required).toEqual(["room", "text"]);
      expect(textOf("message").join(" ")).toContain("room and text must be there.");
      const refused = (await ask("message", {})) as {
        error: { code: string; details: { issues: { path: unknown[] }[] } };
      };
      expect(refused.error.code).toBe("INVALID_INPUT");
      expect(refused.error.details.issues.map(({ path }) => path[0])).toEqual(required);

      expect(textOf("message")).toContain(
        'The rate "talk" counts it: 8 in 5 s by user; more is answered RATE_LIMITED, with retryAfterMs.',
      );
      const many = await Promise.all(Array.from({ length: 8 }, () => ask("message", {})));
      expect(many.at(-1)).toMatchObject({ error: { code: "RATE_LIMITED", details: { limit: "talk" } } });

      expect(textOf("hang")).toContain("After 1 s its failure is TIMEOUT, and context.signal aborts.");
      expect(await ask("hang")).toMatchObject({ error: { code: "TIMEOUT" } });

      expect(textOf("explode").at(-1)).toContain('{ error: { code: "INTERNAL", message: "internal error" } }');
      expect(await ask("explode")).toEqual({ error: { code: "INTERNAL", message: "internal error" } });

      expect(explain(said, "mesage", root)).toEqual([]);
      const unknown = explainUnknown(said, "mesage").steps.flatMap(({ sentences }) => sentences);
      expect(unknown.at(-1)).toContain('{ error: { code: "UNKNOWN_EVENT"');
      expect(await ask("mesage")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    } finally {
      client.close();
    }
  });

  it("a program that starts an example, which exports nothing, says the same", SLOW, async () => {
    const [alone, started] = await Promise.all([
      described(moduleOf("market")),
      described(moduleOf("market").replace("server", "main")),
    ]);
    expect(started.booted).toBe(true);
    expect(known(started)).toEqual(known(alone));
  });
});
