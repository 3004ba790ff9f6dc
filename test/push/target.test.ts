import { describe, expect, it } from "vitest";
import { everyone, group, nobody, session, socket, topic, union, user } from "socket-ingress/realtime";
import { compile } from "../../src/push/audience-plan.js";
import { audienceFrom } from "../../src/push/target.js";

describe("a target", () => {
  it("is an audience written as options, all of which must hold", () => {
    expect(audienceFrom({ topic: "a" }).data).toEqual(topic("a").data);
    expect(audienceFrom({ user: "u" }).data).toEqual(user("u").data);
    expect(audienceFrom({ socketId: "id" }).data).toEqual(socket("id").data);
    expect(audienceFrom({ group: "g" }).data).toEqual(group("g").data);
    expect(audienceFrom({ topic: "a", sessionId: "s" }).data).toEqual(topic("a").and(session("s")).data);
    expect(audienceFrom({ topic: "a", except: user("u") }).data).toEqual(topic("a").except(user("u")).data);
    expect(audienceFrom({ except: user("u") }).data).toEqual(everyone().except(user("u")).data);
    expect(audienceFrom({ topic: "a", except: [user("u"), user("v")] }).data).toEqual(
      topic("a").except(user("u"), user("v")).data,
    );
    expect(audienceFrom({ audience: topic("a"), user: "u" }).data).toEqual(topic("a").and(user("u")).data);
  });

  it("takes lists, of which any will do", () => {
    expect(audienceFrom([topic("a"), { user: "u" }]).data).toEqual(union(topic("a"), user("u")).data);
    expect(audienceFrom({ user: ["u", "v"] }).data).toEqual(union(user("u"), user("v")).data);
  });

  it.each([[[]], [{ topic: [] }], [{ user: [], sessionId: "s" }], [{ topic: "a", user: [] }], [nobody()]])(
    "that is an empty list reaches nobody: %j",
    (target) => {
      expect(compile(audienceFrom(target).data)).toEqual({ how: "nobody" });
    },
  );

  it.each([
    [undefined],
    [null],
    [""],
    ["room:42"],
    [5],
    [{}],
    [{ topic: "" }],
    [{ topic: 5 }],
    [{ topic: undefined }],
    [{ topic: null }],
    [{ topic: "a", sessionId: undefined }],
    [{ topik: "a" }],
    [{ topic: [""] }],
    [{ topic: ["a", undefined] }],
    [{ except: "u1" }],
    [{ except: undefined }],
    [{ audience: { kind: "everyone" } }],
    [["room:42"]],
    [[undefined]],
  ])("that is wrong is a TypeError, never everyone: %j", (target) => {
    expect(() => audienceFrom(target)).toThrow(TypeError);
  });
});
