import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { needs, program } from "../../fixtures/needs.js";
import { envelope, openPlain, type PlainDoor } from "./plain-door.js";

/** A program and what it writes. */
interface Ran extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly output: string;
  until(text: string): Promise<void>;
}

function run(command: string, args: readonly string[]): Ran {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const ended = once(child, "close");
  const look = (chunk: Buffer): void => void (output += String(chunk));
  child.stdout.on("data", look);
  child.stderr.on("data", look);
  return {
    child,
    get output() {
      return output;
    },
    async until(text) {
      while (!output.includes(text)) {
        if (child.exitCode !== null) throw new Error(`${command} ended without ${text}: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

needs("curl")("curl", () => {
  it("Given `/events?topic=author`, When a change, Then `curl -N` sees it at once.", async () => {
    await using plain = await openPlain();
    await using curl = run(program("curl"), ["-sN", `${plain.url}/events?topic=author`]);
    await curl.until("id: ");
    await plain.change(1);
    await curl.until(`event: change\ndata: ${JSON.stringify(envelope(1))}\n\n`);
    await plain.change(2);
    await curl.until(JSON.stringify(envelope(2)));
  });

  it("Given no right, Then the status and the failure as JSON.", async () => {
    await using plain = await openPlain();
    await using curl = run(program("curl"), ["-si", `${plain.url}/events?topic=secret`]);
    await curl.until('{"error":{"code":"FORBIDDEN"');
    expect(curl.output).toMatch(/^HTTP\/1\.1 403 Forbidden/);
    expect(curl.output).not.toContain("event-stream");
  });

  it("Given silence, Then a comment each `heartbeatMs`; the peer's death is noticed, `disconnect` runs, presence is updated.", async () => {
    await using plain = await openPlain({ heartbeatMs: 30 });
    const { realtime } = plain.door;
    await using curl = run(program("curl"), ["-sN", `${plain.url}/events?user=ada&topic=hall`]);
    await curl.until(":\n\n:\n\n");
    expect(realtime.list("hall").map((member) => member.user)).toEqual(["ada"]);
    curl.child.kill("SIGKILL");
    await plain.sockets(0);
    while (realtime.list("hall").length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

const streaming = `
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"last-event-id": sys.argv[2]} if len(sys.argv) > 2 else {})
with urllib.request.urlopen(request, timeout=30) as stream:
    for line in stream:
        print(line.decode().rstrip(), flush=True)
`;

const socketing = `
import json, sys
from websocket import create_connection
socket = create_connection(sys.argv[1], timeout=30)
socket.send(json.dumps({"event": "sync", "id": "py"}))
print(socket.recv(), flush=True)
socket.send(json.dumps({"subscribe": "book"}))
while True:
    print(socket.recv() or "closed", flush=True)
`;

// Unbuffered: what is printed is to be seen here at once.
const python = (script: string, ...args: string[]): Ran => run(program("python"), ["-u", "-c", script, ...args]);

/** The programs in Python that a document shows. */
async function programsOf(document: string): Promise<string[]> {
  const text = await readFile(document, "utf8");
  return [...text.matchAll(/```python\n(.*?)```/gs)].map(([, code = ""]) => code);
}

needs("python")("Python", () => {
  it("hears an event stream with urllib, and goes on by Last-Event-ID", async () => {
    await using plain = await openPlain();
    const url = `${plain.url}/events?topic=author`;
    let id: string | undefined;
    {
      await using first = python(streaming, url);
      await first.until("id: ");
      await plain.change(1);
      await first.until('"id":"1"');
      id = /id: (\S+)\nevent/.exec(first.output)?.[1];
    }
    await plain.change(2);
    await using second = python(streaming, url, id ?? "");
    await second.until('"id":"2"');
    await plain.change(3);
    await second.until('"id":"3"');
    expect(second.output).not.toContain('"id":"1"');
  });

  it.each([
    ["docs/guide/plain-clients.md", "author"],
    ["examples/posts/README.md", "all"],
  ])("runs what %s shows, which prints the changes of a topic", async (document, topic) => {
    const programs = await programsOf(document);
    expect(programs).toHaveLength(2);
    await using plain = await openPlain(
      {},
      { before: (_manager, { topics }) => void topics.define("all", { public: true, history: {} }) },
    );
    for (const code of programs) {
      await using client = python(code.replace("localhost:3000", new URL(plain.url).host));
      await expect.poll(async () => (await plain.door.realtime.count({ topic })).sockets).toBe(1);
      await plain.change(7, [topic]);
      await client.until("'model': 'author', 'method': 'PATCH', 'id': '7'");
      client.child.kill("SIGKILL");
      await plain.sockets(0);
    }
  });

  it("speaks to a WebSocket with websocket-client", async () => {
    await using plain: PlainDoor = await openPlain();
    await using client = python(socketing, `${plain.url.replace("http", "ws")}/ws?topic=author`);
    await client.until('{"id":"py","data":true}');
    await client.until('{"subscribed":"book"}');
    await plain.change(1, ["book"]);
    await client.until('"id":"1"');
  });
});
