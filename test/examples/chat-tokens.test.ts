import { expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage } from "./stage.js";

needs("chromium")("the chat, with tokens of seconds", () => {
  it(
    "goes on over the end of a token with the connection it has, and a sign-out ends every tab of the browser at once",
    { timeout: 90_000 },
    async () => {
      await using stage = await openStage("chat", { TOKEN_LIFE_MS: "8000" });
      const ada = await stage.open();
      const sent: string[] = [];
      let sockets = 0;
      // Whatever the page opens from now on, and what it presents there.
      ada.page.on("websocket", (socket) => {
        sockets++;
        socket.on("framesent", ({ payload }) => sent.push(payload.toString()));
      });
      await ada.page.reload();
      await ada.page.fill("#name", "Ada");
      await ada.page.click("#sign-in button");
      await ada.sees("#people", "Ada");
      const opened = sockets;
      const presented = (): number => sent.filter((frame) => frame.includes("ingress:token")).length;
      const first = presented();
      await expect.poll(presented, { timeout: 30_000 }).toBeGreaterThanOrEqual(first + 2);
      await ada.page.fill("#text", "still here");
      await ada.page.click("#composer button");
      await ada.sees("#messages li.mine", "still here");
      expect(sockets).toBe(opened);
      expect(ada.complaints).toEqual([]);

      const other = await ada.another();
      await other.sees("#people", "Ada");
      await other.page.click("#sign-out button");
      for (const window of [ada, other]) await window.sees("#sign-in");
      expect(await ada.page.locator("#refusal").textContent()).toBe("");
      // As a guest, on a connection that is there.
      await ada.sees("#status", "connected");
      await ada.page.fill("#name", "Ada");
      await ada.page.click("#sign-in button");
      for (const window of [ada, other]) await window.sees("#people", "Ada");
    },
  );
});
