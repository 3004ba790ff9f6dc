import { type ControllerHandler, EventError, type EventContext } from "socket-ingress";
import { type Audience, type Realtime, RealtimeController, socket, user } from "socket-ingress/realtime";
import { type App, boardId, type Part, part, type Place, place, type Stroke } from "./app.js";

const BOARDS_MAX = 100;
const STROKES_MAX = 2_000;

/** The boards: each is a topic whose snapshot is the drawing so far, so that whoever comes late sees it all. */
export class BoardsController extends RealtimeController<App> {
  readonly name = "boards";
  private readonly boards = new Map<string, Map<string, Stroke>>();

  constructor(realtime: Realtime<App>) {
    super();
    realtime.topics.define("board:{id}", {
      public: true,
      snapshot: (_context, { id }) => [...(this.boards.get(id)?.values() ?? [])],
      presence: ({ socket }) => socket.data.painter,
    });
  }

  override buildEvents(handler: ControllerHandler<App>): void {
    handler
      .on("draw", this.draw, { input: part })
      .on("undo", this.undo, { input: boardId })
      .on("clear", this.clear, { input: boardId })
      // Of the places that wait while one is being pushed only the latest is of interest.
      .on("cursor", this.cursor, { input: place, concurrency: 1, queueMax: 1, overflow: "dropOldest" });
  }

  private draw(context: EventContext<App>, { board, stroke, at, color, width, points }: Part) {
    const by = this.painterOf(context, board);
    const strokes = this.boards.get(board) ?? this.newBoard(board);
    const id = `${by}/${stroke}`;
    const known = strokes.get(id) ?? { id, by, color, width, points: [] };
    if (at > known.points.length) throw new EventError("CONFLICT", "points are missing before these");
    known.points.splice(at, points.length, ...points);
    strokes.set(id, known);
    forgetOldest(strokes, STROKES_MAX);
    // To the painter's other tabs too: this one has drawn it already.
    const target = others(board, socket(context.socket.id));
    void this.emitSocket("drawn", { board, id, by, color, width, at, points }, target);
    return { id };
  }

  private undo(context: EventContext<App>, { board }: { board: string }) {
    const by = this.painterOf(context, board);
    const mine = [...(this.boards.get(board)?.values() ?? [])].filter((stroke) => stroke.by === by);
    return this.erase(board, mine.slice(-1));
  }

  private clear(context: EventContext<App>, { board }: { board: string }) {
    this.painterOf(context, board);
    return this.erase(board, [...(this.boards.get(board)?.values() ?? [])]);
  }

  private async cursor(context: EventContext<App>, { board, x, y }: Place) {
    const by = this.painterOf(context, board);
    await this.emitSocket("cursor", { board, by, x, y }, others(board, user(by)));
  }

  private erase(board: string, strokes: readonly Stroke[]) {
    const ids = strokes.map(({ id }) => id);
    for (const id of ids) this.boards.get(board)?.delete(id);
    if (ids.length > 0) void this.emitSocket("erased", { board, ids }, { topic: `board:${board}` });
    return { ids };
  }

  private newBoard(board: string): Map<string, Stroke> {
    const strokes = new Map<string, Stroke>();
    this.boards.set(board, strokes);
    forgetOldest(this.boards, BOARDS_MAX);
    return strokes;
  }

  private painterOf({ socket }: EventContext<App>, board: string): string {
    const { user: id } = this.realtime.identify(socket);
    if (id !== undefined && this.realtime.list(`board:${board}`).some((member) => member.user === id)) return id;
    throw new EventError("FORBIDDEN", "join the board first");
  }
}

/** Everyone at a board, except. */
function others(board: string, except: Audience) {
  return { topic: `board:${board}`, except };
}

function forgetOldest(map: Map<string, unknown>, max: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= max) return;
    map.delete(oldest);
  }
}
