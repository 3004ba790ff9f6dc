import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContextOptions, chromium, type Page, type WebSocketRoute } from "playwright-core";
import { program } from "../fixtures/needs.js";
import { root } from "../repo/source-files.js";

/** A window of a browser of its own: its cookies and storage are shared with nobody, except by `another()`. */
export interface Window {
  readonly page: Page;
  /** Errors of the page, and what the server or the client complained about in its console. */
  readonly complaints: readonly string[];
  /** Waits for an element, with a text in it if one is given. */
  sees(selector: string, text?: string | RegExp): Promise<void>;
  /** Waits until there is no such element. */
  misses(selector: string, text?: string | RegExp): Promise<void>;
  /** Writes down what an element shows from now on; what this resolves with waits until it has shown a text, if only for a moment. */
  watches(selector: string): Promise<(text: RegExp) => Promise<void>>;
  /** A second tab of the same browser session. */
  another(): Promise<Window>;
  /** Takes the network from a window opened with `cuttable`, which loses its connection at once. */
  goOffline(): Promise<void>;
  goOnline(): Promise<void>;
  close(): Promise<void>;
}

/** What kind of window: a phone's, a dark one. */
export interface WindowOptions extends BrowserContextOptions {
  /** Sends its WebSocket through our hands, slowly. */
  cuttable?: boolean;
}

/** A phone, held upright. */
export const phone: WindowOptions = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** An example's server in a process of its own, and a browser with as many windows as wanted. */
export interface Stage extends AsyncDisposable {
  readonly url: string;
  /** Whether the server has not ended. */
  readonly running: () => boolean;
  /** Ends the server as a deployment does, and starts it again at the same address. */
  restart(): Promise<void>;
  /** Opens a window on the example's page, or on another path. */
  open(path?: string, options?: WindowOptions): Promise<Window>;
}

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** For machines that do much else at the same time. */
const PATIENCE_MS = 20_000;

/** Starts an example and the browser, side by side. */
export async function openStage(example: string, env: NodeJS.ProcessEnv = {}): Promise<Stage> {
  let server = serve(example, env);
  const browser = chromium.launch({ executablePath: program("chromium"), args: flags });
  const dispose = async (): Promise<void> => {
    await browser.then(
      (opened) => opened.close(),
      () => undefined,
    );
    await server.stop();
  };
  try {
    const [url, opened] = await Promise.all([server.url, browser]);
    return {
      url,
      running: () => server.running(),
      async restart() {
        await server.stop("SIGTERM");
        server = serve(example, { ...env, PORT: new URL(url).port });
        await server.url;
      },
      open: (path = "", options = {}) => openWindow(opened, url + path, options),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function serve(example: string, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ["--import", "tsx", join("examples", example, "main.ts")], {
    cwd: root,
    env: { ...process.env, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const url = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      said += `${line}\n`;
      const found = /listening on (http:\/\/\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    exited.then(() => reject(new Error(`the ${example} example ended before it listened:\n${said}`)), reject);
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    url,
    running,
    async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
      if (running()) child.kill(signal);
      await exited;
    },
  };
}

async function openWindow(
  browser: Browser,
  url: string,
  { cuttable = false, ...options }: WindowOptions,
): Promise<Window> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const tab = async (): Promise<Window> => {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    // A browser that is offline opens no WebSocket, but keeps those it has: these can be closed from here.
    const lines = new Set<WebSocketRoute>();
    const route = (line: WebSocketRoute): void => {
      lines.add(line);
      line.connectToServer();
    };
    if (cuttable) await page.routeWebSocket(/socket\.io/, route);
    await page.goto(url);
    const find = (selector: string, text?: string | RegExp) =>
      page.locator(selector, text === undefined ? {} : { hasText: text }).first();
    return {
      page,
      complaints,
      sees: (selector, text) => find(selector, text).waitFor(),
      misses: (selector, text) => find(selector, text).waitFor({ state: "hidden" }),
      async watches(selector) {
        const shown = await page.evaluateHandle((of) => {
          const element = document.querySelector(of)!;
          const texts: string[] = [];
          const look = new MutationObserver(() => texts.push(element.textContent));
          look.observe(element, { childList: true, characterData: true, subtree: true });
          return texts;
        }, selector);
        return async ({ source }) => {
          await page.waitForFunction(([texts, wanted]) => texts.some((text) => new RegExp(wanted).test(text)), [
            shown,
            source,
          ] as const);
        };
      },
      another: tab,
      async goOffline() {
        await context.setOffline(true);
        await Promise.all([...lines].map((line) => line.close()));
        lines.clear();
      },
      goOnline: () => context.setOffline(false),
      close: () => page.close(),
    };
  };
  return tab();
}
