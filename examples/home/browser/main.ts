import { createClient } from "socket-ingress/client";
import { connect, showConnection } from "../../page/connection.js";
import { byId, element, showItems } from "../../page/dom.js";
import type { App, EventCount, EventRow, Overview, Program } from "../app.js";

const socket = connect();
const client = createClient<App>(socket);
showConnection(socket);

let rows: readonly EventRow[] = [];
let counts = new Map<string, EventCount>();

function programItem({ name, title, about }: Program): HTMLElement {
  const open = element("a", "button", "Open") as HTMLAnchorElement;
  Object.assign(open, { href: `${name}/`, target: "_blank", rel: "noopener", ariaLabel: `Open ${title}` });
  const foot = element("div", "foot", open, element("code", "", `npm start -- ${name}`));
  return element("li", "", element("h3", "", title), element("p", "", about), foot);
}

function rowItem({ program, namespace, event, subscribers }: EventRow): HTMLElement {
  const spelt = namespace === "/" ? event : `${namespace} ${event}`;
  const who = element("td", "", subscribers.join(", then "));
  const figures = ["came", "failed", "ms"].map((label) => {
    const cell = element("td", "number");
    cell.dataset["label"] = label; // where there is no room for a head
    return cell;
  });
  return element("tr", "", element("td", "", program), element("td", "", spelt), who, ...figures);
}

function showFigures(row: HTMLElement, { came, failed, lastMs }: EventCount): void {
  const [cameCell, failedCell, lastCell] = [...row.querySelectorAll(".number")];
  cameCell!.textContent = String(came);
  failedCell!.textContent = String(failed);
  failedCell!.classList.toggle("failed", failed > 0);
  lastCell!.textContent = lastMs < 0.1 ? "< 0.1" : lastMs.toFixed(1);
}

function showRows(): void {
  const program = byId<HTMLSelectElement>("program").value;
  const withBuiltIn = byId<HTMLInputElement>("built-in").checked;
  const onlySeen = byId<HTMLInputElement>("seen").checked;
  const shown = rows.filter(
    (row) =>
      (program === "" || row.program === program) &&
      (withBuiltIn || !row.builtIn) &&
      (!onlySeen || counts.has(row.key)),
  );
  showItems(byId("rows"), shown, ({ key }) => key, rowItem);
  for (const row of byId("rows").children) {
    const count = counts.get((row as HTMLElement).dataset["key"] ?? "");
    if (count) showFigures(row as HTMLElement, count);
  }
  byId("none").hidden = shown.length > 0;
}

client.on("counts", (changed) => {
  for (const count of changed) counts.set(count.key, count);
  showRows();
  for (const { key } of changed) {
    const row = [...byId("rows").children].find((each) => (each as HTMLElement).dataset["key"] === key);
    row?.classList.remove("fresh");
    requestAnimationFrame(() => row?.classList.add("fresh"));
  }
});
for (const id of ["program", "built-in", "seen"]) byId(id).addEventListener("change", showRows);

void client.joinTopic("events", {
  // Again after each reconnect, and after a restart of the server.
  onJoined({ snapshot }) {
    const overview = snapshot as Overview;
    ({ rows } = overview);
    counts = new Map(overview.counts.map((count) => [count.key, count]));
    showItems(byId("programs"), overview.programs, ({ name }) => name, programItem);
    const choices = new Set([...byId<HTMLSelectElement>("program").options].map(({ value }) => value));
    byId("program").append(
      ...overview.programs.filter(({ name }) => !choices.has(name)).map(({ name }) => new Option(name, name)),
    );
    byId("rows").replaceChildren();
    showRows();
  },
});
