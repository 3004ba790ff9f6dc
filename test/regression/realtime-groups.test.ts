import { describe, expect, it } from "vitest";
import { type Group, MemoryMemberships, MemoryWaitingRoom } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { deferred, open, type Door, type DoorOptions } from "../features/realtime/door.js";

/** What is in a waiting room, which its users have no need to know. */
class OpenRoom extends MemoryWaitingRoom {
  readonly inside = new Set<string>();
  override arrive(pool: string, user: string, size: number): readonly string[] | undefined {
    this.inside.add(user);
    const members = super.arrive(pool, user, size);
    for (const member of members ?? []) this.inside.delete(member);
    return members;
  }
  override leave(pool: string, user: string): void {
    this.inside.delete(user);
    super.leave(pool, user);
  }
}

const wait = (
  door: Door,
  user: string,
  afterGrouping?: (group: Group) => unknown,
  signal?: AbortSignal,
): Promise<Group> =>
  door.realtime.waitForGroup(user, {
    pool: "p",
    size: 2,
    ...(afterGrouping && { afterGrouping }),
    ...(signal && { signal }),
  });

/** As long as a room in memory and what comes of it take. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a tab that comes while the group of its user forms", () => {
  it("waits for that group and is not put back into the waiting room", async () => {
    const waitingRoom = new OpenRoom();
    await using door = await open({ waitingRoom });
    const [forming, go] = [deferred(), deferred()];
    const slowly = (): Promise<void> => {
      forming.resolve();
      return go.promise;
    };
    const first = [wait(door, "ada", slowly), wait(door, "grace", slowly)];
    await forming.promise;
    const second = wait(door, "ada", slowly);
    const barbara = wait(door, "barbara");
    await turn();
    go.resolve();
    const groups = await Promise.all([...first, second]);
    expect(new Set(groups).size).toBe(1);
    expect([...waitingRoom.inside]).toEqual(["barbara"]);
    const edsger = wait(door, "edsger");
    expect((await edsger).members).toEqual(["barbara", "edsger"]);
    expect(await barbara).toBe(await edsger);
  });

  it("waits for it while a slow store takes its members in, too", async () => {
    const memberships = new MemoryMemberships();
    const [adding, go] = [deferred(), deferred()];
    const waitingRoom = new OpenRoom();
    await using door = await open({
      waitingRoom,
      memberships: {
        add: async (place, user) => {
          adding.resolve();
          await go.promise;
          memberships.add(place, user);
        },
        remove: (place, user) => memberships.remove(place, user),
        members: (place) => memberships.members(place),
        places: (user) => memberships.places(user),
      },
    });
    const first = [wait(door, "ada"), wait(door, "grace")];
    await adding.promise;
    const second = wait(door, "grace");
    await turn();
    go.resolve();
    expect(new Set(await Promise.all([...first, second])).size).toBe(1);
    expect([...waitingRoom.inside]).toEqual([]);
  });

  it("hears of it also when the first tab has gone meanwhile", async () => {
    const waitingRoom = new OpenRoom();
    await using door = await open({ waitingRoom });
    const [forming, go, closed] = [deferred(), deferred(), new AbortController()];
    const slowly = (): Promise<void> => {
      forming.resolve();
      return go.promise;
    };
    const first = wait(door, "ada", slowly, closed.signal);
    const grace = wait(door, "grace", slowly);
    await forming.promise;
    closed.abort(new Error("the tab was closed"));
    await expect(first).rejects.toThrow("the tab was closed");
    const second = wait(door, "ada", slowly);
    await turn();
    go.resolve();
    expect(await second).toBe(await grace);
    expect([...waitingRoom.inside]).toEqual([]);
    expect(door.realtime.stats().waiting).toBe(0);
  });

  it("fails with it, and can wait anew", async () => {
    const waitingRoom = new OpenRoom();
    await using door = await open({ waitingRoom });
    const [forming, go] = [deferred(), deferred()];
    const fails = async (): Promise<void> => {
      forming.resolve();
      await go.promise;
      throw new Error("no table free");
    };
    const first = [wait(door, "ada", fails), wait(door, "grace", fails)];
    await forming.promise;
    const second = wait(door, "ada", fails);
    await turn();
    go.resolve();
    for (const result of await Promise.allSettled([...first, second]))
      expect(result).toMatchObject({ status: "rejected", reason: { message: "no table free" } });
    expect([...waitingRoom.inside]).toEqual([]);
    const again = [wait(door, "ada"), wait(door, "grace")];
    expect((await Promise.all(again)).map(({ members }) => members)).toEqual([
      ["ada", "grace"],
      ["ada", "grace"],
    ]);
  });
});

describe("a waiting room that takes its time", () => {
  it("does not lose a user who left and came back before it had let them go", async () => {
    const [leaving, go] = [deferred(), deferred()];
    const room = new MemoryWaitingRoom();
    await using door = await open({
      waitingRoom: {
        arrive: (pool, user, size) => room.arrive(pool, user, size),
        leave: async (pool, user) => {
          leaving.resolve();
          await go.promise;
          room.leave(pool, user);
        },
      },
    });
    const closed = new AbortController();
    const before = wait(door, "ada", undefined, closed.signal);
    await turn();
    closed.abort(new Error("the tab was reloaded"));
    await expect(before).rejects.toThrow("the tab was reloaded");
    await leaving.promise;
    const after = wait(door, "ada");
    await turn();
    go.resolve();
    await turn();
    expect((await wait(door, "grace")).members).toEqual(["ada", "grace"]);
    expect((await after).members).toEqual(["ada", "grace"]);
  });

  it("keeps nobody who gave up, or whose server went, while it was asked", async () => {
    for (const end of ["signal", "server"]) {
      const [asked, go] = [deferred(), deferred()];
      const waitingRoom = new OpenRoom();
      await using door = await open({
        waitingRoom: {
          arrive: async (pool, user, size) => {
            asked.resolve();
            await go.promise;
            return waitingRoom.arrive(pool, user, size);
          },
          leave: (pool, user) => waitingRoom.leave(pool, user),
        },
      });
      const stop = new AbortController();
      const given = wait(door, "ada", undefined, stop.signal);
      await asked.promise;
      if (end === "signal") stop.abort(new Error("gone"));
      else void door.realtime.teardown();
      await expect(given).rejects.toThrow(/gone|closed/);
      go.resolve();
      await turn();
      expect([...waitingRoom.inside]).toEqual([]);
    }
  });

  it("that fails says so to everyone who waits, and to nobody later", async () => {
    let fails = true;
    const room = new MemoryWaitingRoom();
    await using door = await open({
      waitingRoom: {
        arrive: async (pool, user, size) => {
          if (fails) throw new Error("no connection");
          return room.arrive(pool, user, size);
        },
        leave: (pool, user) => room.leave(pool, user),
      },
    });
    const [one, two] = [wait(door, "ada"), wait(door, "ada")];
    await expect(one).rejects.toThrow("no connection");
    await expect(two).rejects.toThrow("no connection");
    fails = false;
    const again = [wait(door, "ada"), wait(door, "grace")];
    expect(new Set(await Promise.all(again)).size).toBe(1);
  });
});

it("a waiting room that fails for a moment ends no wait that is under way", async () => {
  const room = new MemoryWaitingRoom();
  let fails = false;
  const failed = deferred();
  await using door = await open({
    presence: { heartbeatMs: 10 },
    waitingRoom: {
      arrive: async (pool, user, size) => {
        if (!fails) return room.arrive(pool, user, size);
        failed.resolve();
        throw new Error("no connection");
      },
      leave: (pool, user) => room.leave(pool, user),
    },
  });
  const ada = wait(door, "ada");
  await turn();
  fails = true;
  await failed.promise;
  await turn();
  fails = false;
  expect((await wait(door, "grace")).members).toEqual(["ada", "grace"]);
  await ada;
});

it("a user of whom the waiting room still knows from a server that died is in no group", async () => {
  const waitingRoom = new MemoryWaitingRoom();
  waitingRoom.arrive("p", "ghost", 2);
  await using door = await open({ waitingRoom });
  const ada = wait(door, "ada");
  await turn();
  const grace = wait(door, "grace");
  expect((await ada).members).toEqual(["ada", "grace"]);
  expect(await grace).toBe(await ada);
});

describe("on two nodes", () => {
  async function openTwo(options: DoorOptions = {}): Promise<{ here: Door; there: Door } & AsyncDisposable> {
    const { adapter } = memoryCluster();
    const shared = {
      memberships: new MemoryMemberships(),
      waitingRoom: new MemoryWaitingRoom(),
      presence: { graceMs: 10, heartbeatMs: 300 },
      ...options,
    };
    const here = await open({ server: { adapter }, ...shared });
    const there = await open({ server: { adapter }, ...shared });
    return {
      here,
      there,
      [Symbol.asyncDispose]: async () => {
        await here[Symbol.asyncDispose]();
        await there[Symbol.asyncDispose]();
      },
    };
  }

  type Emit = (packet: unknown[]) => unknown;
  type Message = [name: string, message: { kind: string }, acknowledge?: (error: Error, answers: unknown[]) => void];

  it("a group that the other node was not told of is told again", async () => {
    await using nodes = await openTwo();
    const { here, there } = nodes;
    const adapter = here.served.io.of("/").adapter as unknown as { serverSideEmit: Emit };
    const send = adapter.serverSideEmit.bind(adapter);
    let lost = 0;
    adapter.serverSideEmit = (packet) => {
      const [, { kind }, acknowledge] = packet as Message;
      if (kind !== "grouped" || ++lost > 1) return send(packet);
      return acknowledge?.(new Error("timeout reached"), []);
    };
    const ada = wait(there, "ada");
    await turn();
    expect(await wait(here, "grace")).toEqual(await ada);
    expect(lost).toBeGreaterThan(1);
  });

  it("a group that is told again does not end the next wait of who had heard of it", async () => {
    await using nodes = await openTwo();
    const { here, there } = nodes;
    const adapter = here.served.io.of("/").adapter as unknown as { serverSideEmit: Emit };
    const send = adapter.serverSideEmit.bind(adapter);
    const toldAgain = deferred();
    let told = 0;
    adapter.serverSideEmit = (packet) => {
      const [name, message, acknowledge] = packet as Message;
      if (message.kind !== "grouped") return send(packet);
      if (++told === 1) {
        acknowledge?.(new Error("timeout reached"), []);
        return send([name, message]);
      }
      if (!acknowledge) return send(packet);
      return send([
        name,
        message,
        (error: Error, answers: unknown[]) => {
          acknowledge(error, answers);
          toldAgain.resolve();
        },
      ]);
    };
    const ada = wait(there, "ada");
    await turn();
    const first = await wait(here, "grace");
    expect(await ada).toEqual(first);
    const next = wait(there, "ada");
    await toldAgain.promise;
    const barbara = await wait(there, "barbara");
    expect(barbara.members).toEqual(["ada", "barbara"]);
    expect((await next).id).toBe(barbara.id);
  });

  it("a user who stops waiting on one still waits on the other", async () => {
    await using nodes = await openTwo();
    const { here, there } = nodes;
    const closed = new AbortController();
    const one = wait(here, "ada", undefined, closed.signal);
    const two = wait(there, "ada");
    await turn();
    closed.abort(new Error("the tab was closed"));
    await expect(one).rejects.toThrow("the tab was closed");
    expect((await wait(here, "grace")).members).toContain("ada");
    expect((await two).members).toContain("grace");
  });

  it("who waited for a group that a node took with it is grouped with others", async () => {
    const { adapter, partition } = memoryCluster();
    const shared = {
      memberships: new MemoryMemberships(),
      waitingRoom: new MemoryWaitingRoom(),
      presence: { graceMs: 10, heartbeatMs: 300 },
    };
    await using here = await open({ server: { adapter }, ...shared });
    await using there = await open({ server: { adapter }, ...shared });
    const ada = wait(there, "ada");
    await turn();
    const forming = deferred();
    const never = wait(here, "grace", () => {
      forming.resolve();
      return new Promise(() => undefined);
    });
    never.catch(() => undefined);
    await forming.promise;
    // As a crash looks from the other node.
    const join = partition();
    const barbara = wait(there, "barbara");
    expect((await barbara).members).toEqual(["barbara", "ada"]);
    expect(await ada).toEqual(await barbara);
    join();
  });

  it("who was taken for gone while the nodes were cut off waits again when they are not", async () => {
    const { adapter, partition } = memoryCluster();
    const shared = {
      memberships: new MemoryMemberships(),
      waitingRoom: new MemoryWaitingRoom(),
      presence: { graceMs: 10, heartbeatMs: 300 },
    };
    await using here = await open({ server: { adapter }, ...shared });
    await using there = await open({ server: { adapter }, ...shared });
    const ada = wait(there, "ada");
    await turn();
    const join = partition();
    const grace = wait(here, "grace");
    await turn();
    await turn();
    join();
    const [one, two] = await Promise.all([ada, grace]);
    expect(one).toEqual(two);
    expect([...one.members].sort()).toEqual(["ada", "grace"]);
  });
});
