import type { Client } from "socket-ingress/client";
import type { App } from "../app.js";
import { byId } from "../../page/dom.js";
import { readMe, saveMe } from "./api.js";

/** Shows who this browser is, and lets it be somebody else: in all of its tabs, which begin anew then. */
export function showVisitor(client: Client<App>): void {
  const me = byId<HTMLSelectElement>("me");
  client.on("becameSomebody", () => location.reload());
  me.addEventListener("change", () => void saveMe(me.value).then(() => location.reload()));
  void readMe().then(({ name }) => {
    me.value = name ?? "";
    const author = document.querySelector<HTMLSelectElement>("#new [name=author]");
    if (author && name !== null) author.value = name;
  });
}
