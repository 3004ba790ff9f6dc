// Fails unless every door loads by `require` and by `import` and gives the same both ways: the same copy of what belongs to a
// server; of a client's door the same names, and failures that each form knows of the other.
const assert = require("node:assert/strict");
const doors = Object.keys(require("socket-ingress/package.json").exports).filter((key) => !key.endsWith(".json"));
const loaded = (file) => Object.keys(require.cache).some((path) => path.includes(file));

async function doorsAreTheSame() {
  for (const door of doors) {
    const name = "socket-ingress" + door.slice(1);
    const required = require(name);
    const imported = await import(name);
    assert.ok(Object.keys(imported).length > 0, name + " exports nothing");
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), name);
    if (door.endsWith("/client")) continue;
    for (const key of Object.keys(imported)) assert.equal(required[key], imported[key], name + ": " + key);
  }
}

/** Half of a program loads the package one way, half the other. */
async function halvesMeet() {
  const { ServiceManager, SocketIngress } = require("socket-ingress");
  const { fakeServer } = require("socket-ingress/testing");
  const { EventError, Handler } = await import("socket-ingress");
  const asked = [];
  class Half extends Handler {
    name = "half";
    events = { ask: "onAsk" };
    onAsk() {
      asked.push("handler");
      throw new EventError("OUT_OF_STOCK", "none left");
    }
  }
  const io = fakeServer();
  const ingress = new SocketIngress();
  ingress.subscribe("ask", () => void asked.push("subscriber"));
  const manager = new ServiceManager(io, { ingress }).registerHandler(new Half());
  await manager.boot();
  const reply = await (await io.connect()).receive("ask");
  assert.deepEqual(reply, { error: { code: "OUT_OF_STOCK", message: "none left" } });
  assert.deepEqual(asked, ["subscriber", "handler"]);
  await manager.shutdown();
  await io.close();
}

async function clientsUnderstandEachOther() {
  const { EventFailure: Required } = require("socket-ingress/client");
  const { EventFailure: Imported } = await import("socket-ingress/client");
  assert.ok(new Required("TIMEOUT", "too late") instanceof Imported);
  assert.ok(new Imported("TIMEOUT", "too late") instanceof Required);
}

void (async () => {
  const { ServiceManager, SocketIngress } = require("socket-ingress");
  const line = () => {};
  const quiet = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line, child: () => quiet };
  const { Server } = require("socket.io");
  new ServiceManager(new Server(), { logger: quiet });
  assert.ok(!loaded("/pino/"), "pino is loaded for a server that has a logger");
  const ingress = new SocketIngress();
  assert.ok(!loaded("/pino/"), "pino is loaded before there is a line to write");
  ingress.subscribe("fail", () => {
    throw new Error("the default logger writes this line");
  });
  await ingress.dispatch("fail", {});
  assert.ok(loaded("/pino/"), "the default logger is pino");
  await doorsAreTheSame();
  await halvesMeet();
  await clientsUnderstandEachOther();
})();
