import { Session } from "node:inspector";
import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import type { Place } from "../lifecycle/observer.js";

/** What the inspector says of a value. */
interface Property {
  readonly name: string;
  readonly value?: { readonly objectId?: string | undefined; readonly value?: unknown } | undefined;
}

interface Location {
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber?: number;
}

/** Where the inspector finds the function that is asked about. */
const asked = Symbol.for("socket-ingress.asked");
const holder = globalThis as { [asked]?: object | undefined };

/**
 * Makes what tells where a function is written (decision 0085), by V8's inspector and the source maps of whoever compiled it. Nothing has to be written down
 * while functions are made; `undefined` is said of what is native, or in a place that `isOwn` says is none of the application's.
 */
export function placesBy(isOwn: (file: string) => boolean): (fn: object) => Place | undefined {
  const session = new Session();
  session.connect();
  const urls = new Map<string, string>();
  session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url));
  session.post("Debugger.enable");
  // Nobody is there to go on from a `debugger` statement.
  session.post("Debugger.setSkipAllPauses", { skip: true });

  // A session in its own thread answers before `post` returns.
  const propertiesOf = (objectId: string | undefined): readonly Property[] => {
    let found: readonly Property[] = [];
    if (objectId === undefined) return found;
    session.post("Runtime.getProperties", { objectId, ownProperties: true }, (_error, answer) => {
      found = (answer as Partial<typeof answer> | undefined)?.internalProperties ?? [];
    });
    return found;
  };
  const locate = (objectId: string | undefined): Location | undefined => {
    const properties = propertiesOf(objectId);
    const of = (name: string): Property["value"] => properties.find((one) => one.name === name)?.value;
    const target = of("[[TargetFunction]]")?.objectId; // of one that is bound
    return target === undefined ? (of("[[FunctionLocation]]")?.value as Location | undefined) : locate(target);
  };

  return (fn) => {
    holder[asked] = fn;
    let objectId: string | undefined;
    const expression = 'globalThis[Symbol.for("socket-ingress.asked")]';
    session.post("Runtime.evaluate", { expression }, (_error, answer) => {
      objectId = (answer as Partial<typeof answer> | undefined)?.result?.objectId;
    });
    holder[asked] = undefined;
    const location = locate(objectId);
    const url = location && urls.get(location.scriptId);
    if (location === undefined || url === undefined || url === "") return undefined;
    const place = original(url, location);
    return place === undefined || isOwn(place.file) ? undefined : place;
  };
}

function original(url: string, { lineNumber, columnNumber = 0 }: Location): Place | undefined {
  const entry = findSourceMap(url)?.findEntry(lineNumber, columnNumber);
  const isMapped = entry !== undefined && "originalSource" in entry;
  const source = isMapped ? entry.originalSource : url;
  const line = (isMapped ? entry.originalLine : lineNumber) + 1;
  try {
    // What a loader adds behind the path, such as `?namespace=`, is its own affair.
    return { file: source.startsWith("file:") ? fileURLToPath(source.replace(/[?#].*$/, "")) : source, line };
  } catch {
    return undefined;
  }
}
