import type { Client } from "socket-ingress/client";
import { type JobSnapshot, type TrackedJob, trackJob } from "socket-ingress/queue/client";
import type { App, ExportWish } from "../app.js";
import { byId } from "../../page/dom.js";

type Export = TrackedJob<number, string>;

/** Which export this browser asked for last: all of its tabs look there, after a reload, too. */
const REMEMBERED = "export";

/** The button that exports, how far it is, and where the file is: the same in all tabs of the session. */
export function showExport(client: Client<App>): void {
  let job: Export | undefined;
  const follow = (id: string): void => {
    if (job?.id === id) return;
    job?.close();
    job = trackJob<number, string>(client, id, { queue: "exports" });
    job.subscribe(show);
  };

  const begin = async (): Promise<void> => {
    const id = await client.call("export", wish());
    localStorage.setItem(REMEMBERED, id);
    follow(id);
  };
  const complain = (error: Error): void => {
    byId("export-state").textContent = error.message;
  };
  byId("export").addEventListener("click", () => void begin().catch(complain));
  byId("export-cancel").addEventListener("click", () => void job?.cancel().catch(complain));
  // Another tab has asked for one: what is told of it comes here, too.
  client.on("queue:job", ({ queue, id, state }) => {
    if (queue === "exports" && (state === "queued" || state === "running")) follow(id);
  });
  const last = localStorage.getItem(REMEMBERED);
  if (last !== null) follow(last);
}

/** The posts of whom the list shows: one author, or everybody. */
function wish(): ExportWish {
  const author = document.querySelector<HTMLSelectElement>("#choice [name=author]")?.value as ExportWish["author"] | "";
  return author ? { author } : {};
}

const words: Record<NonNullable<JobSnapshot["state"]>, string> = {
  queued: "waits for its turn",
  running: "is being written",
  cancelling: "is being cancelled",
  completed: "is ready",
  failed: "has failed",
  cancelled: "was cancelled",
};

function show({ state, progress = 0, result, error, status }: JobSnapshot<number, string>): void {
  const isOver = state === "completed" || state === "failed" || state === "cancelled";
  const isLost = status === "lost" && !isOver; // such as by a server that was started again
  const isUnderWay = state !== undefined && !isOver && !isLost;
  byId("export-job").hidden = !isUnderWay && result === undefined;
  byId<HTMLProgressElement>("export-progress").value = progress;
  byId("export-progress").hidden = byId("export-cancel").hidden = !isUnderWay;
  byId<HTMLButtonElement>("export-cancel").disabled = state === "cancelling";
  byId<HTMLButtonElement>("export").disabled = isUnderWay;
  const link = byId<HTMLAnchorElement>("export-link");
  link.hidden = result === undefined;
  if (result !== undefined) link.href = result;
  byId("export-state").textContent = sentence();

  function sentence(): string {
    if (state === undefined) return ""; // an earlier one that nobody knows any more is no news
    if (isLost) return "The export is lost; ask for another one.";
    const why = state === "failed" ? `: ${error?.message ?? ""}` : "";
    return `The export ${words[state]}${why}${status === "stale" ? " (as last heard)" : ""}`;
  }
}
