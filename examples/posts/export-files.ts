import { type Response, Router } from "express";
import { visitorOf } from "./visitors.js";

const KEPT = 20;

/** What was exported, and for which session: the newest few, in memory. */
export class ExportFiles {
  private readonly files = new Map<string, { csv: string; session: string | undefined }>();

  /** Under the id of its job: a job that is done twice puts the same file in its place. */
  put(id: string, csv: string, session: string | undefined): void {
    this.files.set(id, { csv, session });
    for (const oldest of this.files.keys()) {
      if (this.files.size <= KEPT) break;
      this.files.delete(oldest);
    }
  }

  routes(): Router {
    return Router().get("/:id.csv", (request, response: Response) => {
      const file = this.files.get(request.params.id);
      if (file === undefined || file.session !== visitorOf(request)?.session) {
        return void response.status(404).json({ message: "this export is gone" });
      }
      response.attachment("posts.csv").type("csv").send(file.csv);
    });
  }
}
