import { createRequire } from "node:module";
import { relative } from "node:path";
import { parseArgs, styleText } from "node:util";
import type { ManagerDescription } from "../manager/description.js";
import { reasonOf } from "../wire/values.js";
import { check, type Finding, rules } from "./check.js";
import { describeModule, self, Unusable } from "./describe-module.js";
import { explain, type Explanation, explainUnknown, similar } from "./explain.js";
import { routes } from "./routes.js";
import { wrap } from "./table.js";
import { placeIn } from "./words.js";

/** Where text goes. */
export interface Output {
  write(text: string): unknown;
  /** How many characters a line of the terminal has. */
  readonly columns?: number;
  readonly isTTY?: boolean;
}

/** What a command finds around it: a process has it. */
export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly execArgv: readonly string[];
  /** Aborts when the command is to end. */
  readonly signal?: AbortSignal;
  cwd(): string;
}

const USAGE = `usage: socket-ingress routes <module> [--json] [--check [--except <rule>[:<subject>]]...]
       socket-ingress explain <module> <event> [--json]

routes    every event with who runs for it, in order; topics, queues, documents, limits
explain   in words, what becomes of one event from the socket to the reply

<module>  exports a ServiceManager, or a function that makes one, or makes one while it is loaded.
          TypeScript as well. It is loaded in a process of its own, and nothing listens.

--json           for programs; null stands for "no limit"
--check          exit code 1 if something is wrong:
${Object.entries(rules)
  .map(([rule, about]) => `                   ${rule.padEnd(16)} ${about}`)
  .join("\n")}
--except <rule>  leaves out what is meant as it is: --except no-policy:lobby
--export <name>  which export of the module is meant
--start          boots the manager, too, for what is declared while its parts start: their onStart runs
--timeout <s>    how long loading may take, 20 s unless said
--version        which version of socket-ingress this is
--help           this

exit codes: 0 all is well, 1 --check found something or nobody subscribes to the event, 2 it could not be done
`;

const options = {
  json: { type: "boolean" },
  check: { type: "boolean" },
  except: { type: "string", multiple: true },
  export: { type: "string" },
  start: { type: "boolean" },
  timeout: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** What was typed, read. */
interface Command {
  readonly verb: "routes" | "explain";
  readonly module: string;
  readonly event: string | undefined;
  readonly flags: ReturnType<typeof parse>["values"];
  readonly timeoutMs: number;
}

/** Runs a command; the number is the exit code. */
export async function runCommand(args: readonly string[], around: Surroundings): Promise<number> {
  const { stdout, stderr } = around;
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    (args.length === 0 ? stderr : stdout).write(USAGE);
    return args.length === 0 ? 2 : 0;
  }
  if (args.includes("--version")) {
    const { version } = createRequire(self)("../../package.json") as { version: string }; // our own
    stdout.write(`${version}\n`);
    return 0;
  }
  try {
    const command = readCommand(args);
    const { module, flags, timeoutMs } = command;
    const { env, execArgv, signal } = around;
    const start = flags.start === true;
    const request = { module, name: flags.export, start, timeoutMs, cwd: around.cwd(), env, execArgv, signal };
    const description = await describeModule(request);
    if (command.event !== undefined) return tellEvent(description, command.event, command, around);
    return flags.check === true ? tellFindings(description, command, around) : tellRoutes(description, command, around);
  } catch (error) {
    stderr.write(`socket-ingress: ${error instanceof Unusable ? error.message : reasonOf(error)}\n`);
    return 2;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
}

function readCommand(args: readonly string[]): Command {
  const usable = (): ReturnType<typeof parse> => {
    try {
      return parse(args);
    } catch (error) {
      throw new Unusable(`${(error as Error).message.split(". ", 1)[0]}; see socket-ingress --help`);
    }
  };
  const { positionals, values } = usable();
  const [verb, module, event, ...more] = positionals;
  if (verb !== "routes" && verb !== "explain")
    throw new Unusable(
      `expected the command routes or explain, got ${verb === undefined ? "none" : `"${verb}"`}; see socket-ingress --help`,
    );
  if (module === undefined)
    throw new Unusable(`${verb} expects the path of a module that exports a ServiceManager, got none`);
  if (verb === "explain" && event === undefined)
    throw new Unusable("explain expects the name of an event behind the module, got none");
  const extra = verb === "routes" && event !== undefined ? [event, ...more] : more;
  if (extra.length > 0)
    throw new Unusable(`${verb} expects nothing more, got ${extra.map((one) => `"${one}"`).join(", ")}`);
  if (verb === "explain" && values.check === true) throw new Unusable("--check is for routes, not for explain");
  for (const one of values.except ?? [])
    if (!Object.hasOwn(rules, one.split(":", 1)[0] ?? ""))
      throw new Unusable(
        `--except expects a rule (${Object.keys(rules).join(", ")}), or one with a subject, got "${one}"`,
      );
  const seconds = Number(values.timeout ?? 20);
  if (!(seconds > 0 && seconds <= 2_000_000)) throw new Unusable(`--timeout expects seconds, got "${values.timeout}"`);
  return { verb, module, event, flags: values, timeoutMs: seconds * 1_000 };
}

function tellRoutes(description: ManagerDescription, { flags }: Command, around: Surroundings): number {
  if (flags.json === true) return tellJson(description, around);
  const { width, title } = styleOf(around);
  around.stdout.write(routes(description, { width, cwd: around.cwd(), title }));
  return 0;
}

function tellFindings(description: ManagerDescription, { flags, module }: Command, around: Surroundings): number {
  const { stdout } = around;
  const excepted = new Set(flags.except);
  const findings = check(description).filter(
    ({ rule, subject }) => !excepted.has(rule) && !excepted.has(`${rule}:${subject}`),
  );
  const code = findings.length === 0 ? 0 : 1;
  if (flags.json === true) {
    tellJson({ findings }, around);
    return code;
  }
  const { events, booted } = description;
  const { width, title } = styleOf(around);
  const known = booted ? "" : ", as far as it is declared before the start";
  const subscribers = `${events.length} subscriber${events.length === 1 ? "" : "s"}`;
  if (code === 0) stdout.write(`${module}: nothing is wrong with ${subscribers}${known}\n`);
  for (const finding of findings) stdout.write(`${lineOf(finding, around.cwd(), title, width)}\n`);
  if (code === 1) stdout.write(`\n${findings.length} found; what is meant as it is: --except <rule>:<subject>\n`);
  return code;
}

function lineOf(
  { rule, subject, message, source }: Finding,
  cwd: string,
  title: (text: string) => string,
  width: number,
): string {
  const where = placeIn(cwd, source);
  const lines = wrap(`${message}${where === "" ? "" : ` (${where})`}`, Math.max(20, width - 2));
  return [title(`${rule}:${subject}`), ...lines.map((line) => `  ${line}`)].join("\n");
}

function tellEvent(description: ManagerDescription, event: string, { flags }: Command, around: Surroundings): number {
  const found = explain(description, event, around.cwd());
  const explanations = found.length === 0 ? [explainUnknown(description, event)] : found;
  const code = found.length === 0 ? 1 : 0;
  const near = code === 1 ? similar(description, event) : [];
  if (flags.json === true) {
    tellJson(code === 1 ? { explanations, similar: near } : { explanations }, around);
    return code;
  }
  for (const [i, explanation] of explanations.entries())
    around.stdout.write(`${i === 0 ? "" : "\n"}${textOf(explanation, around)}`);
  if (near.length > 0) around.stderr.write(`nobody subscribes to "${event}"; did you mean ${near.join(" or ")}?\n`);
  else if (code === 1) around.stderr.write(`nobody subscribes to "${event}"\n`);
  return code;
}

function textOf({ steps }: Explanation, around: Surroundings): string {
  const { width, title } = styleOf(around);
  const lines = steps.flatMap(({ title: text, sentences }) => [
    ...wrap(text, width).map(title),
    ...sentences.flatMap((sentence) => wrap(sentence, width - 2).map((line) => `  ${line}`)),
  ]);
  return `${lines.join("\n")}\n`;
}

/** For programs: paths relative to where one is, and `null` for what has no bound. */
function tellJson(value: object, around: Surroundings): number {
  const cwd = around.cwd();
  const told = JSON.stringify(
    value,
    (key, one: unknown) => (key === "file" && typeof one === "string" ? relative(cwd, one) : one),
    2,
  );
  around.stdout.write(`${told}\n`);
  return 0;
}

/** As a terminal shows it: bold titles where there is one that wants them, and lines that fit. */
function styleOf({ stdout, env }: Surroundings): { width: number; title: (text: string) => string } {
  const isColoured = stdout.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return {
    width: stdout.columns ?? (Number(env["COLUMNS"]) || 100),
    title: (text) => (isColoured ? styleText("bold", text) : text),
  };
}
