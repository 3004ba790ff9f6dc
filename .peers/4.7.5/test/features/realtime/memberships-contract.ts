import { expect, it } from "vitest";
import type { Memberships, Place, WaitingRoom } from "socket-ingress/realtime";

/** What every {@link Memberships} keeps. */
export function testMemberships(create: () => Memberships | Promise<Memberships>): void {
  const group = (id: string): Place => ({ kind: "group", id });
  const players = (id: string): Place => ({ kind: "players", id });

  it("lists the members of a place in the order they came, each once", async () => {
    const memberships = await create();
    for (const user of ["ada", "grace", "ada"]) await memberships.add(group("g"), user);
    expect(await memberships.members(group("g"))).toEqual(["ada", "grace"]);
  });

  it("lists the places of a user", async () => {
    const memberships = await create();
    await memberships.add(group("g"), "ada");
    await memberships.add(players("s"), "ada");
    await memberships.add(players("s"), "ada");
    const places = await memberships.places("ada");
    expect(places).toHaveLength(2);
    expect(places).toContainEqual(group("g"));
    expect(places).toContainEqual(players("s"));
  });

  it("keeps a group and a session of the same id apart", async () => {
    const memberships = await create();
    await memberships.add(group("x"), "ada");
    await memberships.add(players("x"), "grace");
    expect(await memberships.members(group("x"))).toEqual(["ada"]);
    expect(await memberships.members(players("x"))).toEqual(["grace"]);
  });

  it("forgets who is taken out, and does not mind who never was in", async () => {
    const memberships = await create();
    await memberships.add(group("g"), "ada");
    await memberships.add(group("g"), "grace");
    await memberships.remove(group("g"), "ada");
    await memberships.remove(group("g"), "ada");
    await memberships.remove(group("nowhere"), "nobody");
    expect(await memberships.members(group("g"))).toEqual(["grace"]);
    expect(await memberships.places("ada")).toEqual([]);
  });

  it("takes any name, also those of an object's own members", async () => {
    const memberships = await create();
    expect(await memberships.members(group("__proto__"))).toEqual([]);
    expect(await memberships.places("constructor")).toEqual([]);
    await memberships.add(group("__proto__"), "constructor");
    expect(await memberships.members(group("__proto__"))).toEqual(["constructor"]);
    expect(await memberships.places("constructor")).toEqual([group("__proto__")]);
  });

  it("gives lists of its own: changing one changes nothing", async () => {
    const memberships = await create();
    await memberships.add(group("g"), "ada");
    ((await memberships.members(group("g"))) as string[]).push("mallory");
    expect(await memberships.members(group("g"))).toEqual(["ada"]);
  });
}

/** What every {@link WaitingRoom} keeps. */
export function testWaitingRoom(create: () => WaitingRoom | Promise<WaitingRoom>): void {
  it("gives the group to whoever makes it full, and to nobody else", async () => {
    const room = await create();
    expect(await room.arrive("p", "ada", 2)).toBeUndefined();
    expect(await room.arrive("p", "grace", 2)).toEqual(["ada", "grace"]);
    expect(await room.arrive("p", "edsger", 2)).toBeUndefined();
  });

  it("gives each group once when all arrive at once", async () => {
    const room = await create();
    const users = Array.from({ length: 100 }, (_, index) => `u${index}`);
    const groups = (await Promise.all(users.map(async (user) => room.arrive("p", user, 4)))).filter(
      (group) => group !== undefined,
    );
    expect(groups).toHaveLength(25);
    expect(groups.flat().sort()).toEqual(users.sort());
  });

  it("counts a user once, and not one who left", async () => {
    const room = await create();
    await room.arrive("p", "ada", 2);
    expect(await room.arrive("p", "ada", 2)).toBeUndefined();
    await room.leave("p", "ada");
    await room.leave("p", "ada");
    expect(await room.arrive("p", "grace", 2)).toBeUndefined();
    expect(await room.arrive("p", "ada", 2)).toEqual(["grace", "ada"]);
  });

  it("keeps pools apart, whatever they are called", async () => {
    const room = await create();
    await room.arrive("__proto__", "ada", 2);
    expect(await room.arrive("constructor", "grace", 2)).toBeUndefined();
    expect(await room.arrive("__proto__", "grace", 2)).toEqual(["ada", "grace"]);
  });
}
