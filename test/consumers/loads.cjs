// Fails unless every door loads, through `require` too, and gives the same values both ways.
const assert = require("node:assert/strict");
const doors = require("socket-ingress/package.json").exports;
void (async () => {
  for (const door of Object.keys(doors).filter((key) => !key.endsWith(".json"))) {
    const name = "socket-ingress" + door.slice(1);
    const required = require(name);
    const imported = await import(name);
    assert.ok(Object.keys(imported).length > 0, name + " exports nothing");
    for (const key of Object.keys(imported)) assert.equal(required[key], imported[key], name + ": " + key);
  }
  const { Handler, Controller, ServiceManager, SocketIngress } = require("socket-ingress");
  for (const noun of [Handler, Controller, ServiceManager, SocketIngress]) assert.equal(typeof noun, "function");
})();
