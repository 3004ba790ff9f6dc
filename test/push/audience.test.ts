import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Audience,
  everyone,
  group,
  nobody,
  players,
  session,
  socket,
  topic,
  union,
  user,
} from "socket-ingress/realtime";
import type { AudienceData } from "socket-ingress/realtime";
import { candidates, compile, matches } from "../../src/push/audience-plan.js";
import { roomOf } from "../../src/push/rooms.js";
import { rounds } from "../fixtures/soak.js";

describe("an audience", () => {
  it("is plain data that comes back from JSON as the same audience", () => {
    const audience = union(topic("a"), user("u"), players("p")).except(session("s"), group("g")).and(everyone());
    const back = Audience.from(JSON.parse(JSON.stringify(audience)));
    expect(back.data).toEqual(audience.data);
    expect(JSON.stringify(back)).toBe(JSON.stringify(audience));
  });

  it("never changes", () => {
    const audience = union(topic("a"), topic("b"));
    expect(Object.isFrozen(audience)).toBe(true);
    expect(() => Object.assign(audience.data, { kind: "everyone" })).toThrow(TypeError);
    expect(() => (audience.data as unknown as { of: unknown[] }).of.push({ kind: "everyone" })).toThrow(TypeError);
  });

  it.each([[""], [5], [null], [undefined], [{}], [["a"]], [true]])("refuses %j as an id of any kind", (id) => {
    for (const make of [topic, user, session, group, players, socket]) {
      expect(() => make(id as string)).toThrow(TypeError);
    }
  });

  it.each([
    [undefined],
    [null],
    ["everyone"],
    [[]],
    [{}],
    [{ kind: "all" }],
    [{ kind: "__proto__" }],
    [{ kind: "constructor", id: "x" }],
    [{ kind: "topic" }],
    [{ kind: "topic", id: "" }],
    [{ kind: "union" }],
    [{ kind: "union", of: ["topic"] }],
    [{ kind: "and", of: [] }],
    [{ kind: "except", from: { kind: "everyone" } }],
  ])("refuses %j as data", (data) => {
    expect(() => Audience.from(data)).toThrow(TypeError);
  });

  it("refuses data nested without end", () => {
    let data: AudienceData = { kind: "nobody" };
    for (let depth = 0; depth < 100_000; depth++) data = { kind: "union", of: [data] };
    expect(() => Audience.from(data)).toThrow(/nested deeper/);
  });

  it("does not grow deeper when it is put together in a loop", () => {
    let some = nobody();
    let others = everyone();
    for (let index = 0; index < 300; index++) {
      some = union(some, user(`u${index}`));
      others = others.except(user(`u${index}`)).except(topic(`t${index}`));
    }
    expect(compile(some.data)).toMatchObject({ how: "rooms" });
    expect(compile(others.data)).toMatchObject({ how: "rooms", rooms: "all" });
    expect(Audience.from(JSON.parse(JSON.stringify(union(some).and(others))))).toBeInstanceOf(Audience);
  });

  it("of nothing is nobody, and an intersection with nothing is an error", () => {
    expect(compile(union().data)).toEqual({ how: "nobody" });
    expect(() => topic("a").and()).toThrow(TypeError);
    expect(topic("a").except().data).toEqual(topic("a").data);
    expect(() => union("topic" as unknown as Audience)).toThrow(/expected an audience/);
  });
});

describe("a plan", () => {
  it.each<[string, Audience, unknown]>([
    ["a topic", topic("a"), { how: "rooms", rooms: ["ingress:t:a"], except: [] }],
    ["everyone", everyone(), { how: "rooms", rooms: "all", except: [] }],
    ["nobody", nobody(), { how: "nobody" }],
    ["a union", union(topic("a"), user("u")), { how: "rooms", rooms: ["ingress:t:a", "ingress:u:u"], except: [] }],
    [
      "a difference",
      topic("a").except(user("u"), socket("id")),
      { how: "rooms", rooms: ["ingress:t:a"], except: ["ingress:u:u", "id"] },
    ],
    ["twice the same", topic("a").and(topic("a")), { how: "rooms", rooms: ["ingress:t:a"], except: [] }],
    [
      "everyone's intersection",
      topic("a").and(everyone().except(user("u"))),
      { how: "rooms", rooms: ["ingress:t:a"], except: ["ingress:u:u"] },
    ],
    ["what is excepted from nobody", nobody().except(topic("a").and(user("u"))), { how: "nobody" }],
    ["everybody excepted", topic("a").except(everyone()), { how: "nobody" }],
    ["an intersection with nobody", topic("a").and(user("u"), nobody()), { how: "nobody" }],
  ])("for %s is one broadcast of Socket.IO, or none", (_name, audience, plan) => {
    expect(compile(audience.data)).toEqual(plan);
  });

  it("looks at sockets only where rooms can't say it", () => {
    expect(compile(topic("a").and(session("s")).data).how).toBe("filter");
    expect(compile(union(topic("a").except(user("u")), topic("b")).data).how).toBe("filter");
    expect(compile(topic("a").except(topic("b").except(user("u"))).data).how).toBe("filter");
  });

  it("for a socket that spells one of our rooms is nobody", () => {
    for (const spelled of [roomOf("topic", "a"), roomOf("user", "u"), roomOf("session", "s"), roomOf("group", "g")]) {
      expect(compile(socket(spelled).data)).toEqual({ how: "nobody" });
      expect(matches(socket(spelled).data, new Set([spelled]))).toBe(false);
    }
  });

  it("looks through the smallest part of an intersection", () => {
    const sizes = new Map([
      [roomOf("topic", "big"), 1_000],
      [roomOf("session", "s"), 2],
    ]);
    const rooms = candidates(topic("big").and(session("s")).data, (room) => sizes.get(room) ?? 0);
    expect(rooms).toEqual([roomOf("session", "s")]);
  });

  const ids = fc.constantFrom("a", "b", "c");
  const data = fc.letrec<{ any: Audience }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(
        fc.constant(everyone()),
        fc.constant(nobody()),
        ids.map(topic),
        ids.map(user),
        ids.map(session),
        ids.map(group),
        ids.map(players),
        ids.map((id) => socket(`id-${id}`)),
      ),
      fc.array(tie("any"), { maxLength: 3 }).map((parts) => union(...parts)),
      fc.tuple(tie("any"), tie("any")).map(([one, other]) => one.and(other)),
      fc.tuple(tie("any"), tie("any")).map(([one, other]) => one.except(other)),
    ),
  })).any;
  const rooms = fc.uniqueArray(
    fc.constantFrom(
      ...["a", "b", "c"].flatMap((id) => [
        roomOf("topic", id),
        roomOf("user", id),
        roomOf("session", id),
        roomOf("group", id),
        roomOf("players", id),
        `id-${id}`,
      ]),
    ),
  );

  it("reaches exactly the sockets that match, whatever the audience", () => {
    fc.assert(
      fc.property(data, rooms, (audience, joined) => {
        const own = new Set(joined);
        const meant = matches(audience.data, own);
        const plan = compile(audience.data);
        if (plan.how === "nobody") expect(meant).toBe(false);
        else if (plan.how === "rooms") {
          const inside = plan.rooms === "all" || plan.rooms.some((room) => own.has(room));
          expect(inside && !plan.except.some((room) => own.has(room))).toBe(meant);
        } else if (meant) {
          const places = candidates(audience.data, () => 1);
          expect(places === "all" || places.some((room) => own.has(room))).toBe(true);
        }
      }),
      { numRuns: rounds(20_000) },
    );
  });

  it("stays the same through JSON, whatever the audience", () => {
    fc.assert(
      fc.property(data, (audience) => {
        const back = Audience.from(JSON.parse(JSON.stringify(audience)));
        expect(compile(back.data)).toEqual(compile(audience.data));
      }),
    );
  });
});
