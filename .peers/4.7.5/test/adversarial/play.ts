import { NoAnswer } from "../fixtures/raw-client.js";
import type { Contestant } from "./contestant.js";
import type { Scenario } from "./scenarios.js";
import { Stage, leakIn, mishearing } from "./stage.js";

/** What one scenario did to one server. */
export interface Verdict {
  readonly scenario: Scenario;
  /** The process lives, or ended by itself, in time and well where it had to end. */
  readonly survived: boolean;
  /** Every event that asked for an acknowledgement got one, and so did the next honest call. */
  readonly answered: boolean;
  /** What left the server that should not have. */
  readonly leak: string | undefined;
  /** Whatever else is not as `socket-ingress` promises; no other server promised it. */
  readonly complaints: readonly string[];
}

export interface PlayOptions {
  /** How long a call may stay unanswered. */
  readonly deadlineMs: number;
  /** How much later than promised a process may end, on a busy machine. */
  readonly slackMs: number;
}

/** The grace period plus this is when a process has to be gone. */
const promisedMs = 500;

/** Plays one scenario against a running server and tells what became of it. */
export async function play(scenario: Scenario, server: Contestant, options: PlayOptions): Promise<Verdict> {
  await using stage = new Stage(server, options.deadlineMs);
  const complaints: string[] = [];
  let interrupted = false;
  try {
    await scenario.play(stage);
  } catch (error) {
    interrupted = true;
    complaints.push(`the scenario broke off: ${error instanceof Error ? error.message : String(error)}`);
    if (server.isAlive && !(error instanceof NoAnswer)) await server.command("settle").catch(() => undefined);
  }
  const { survived, honest } = scenario.ends
    ? await ended(stage, server, options, complaints)
    : await lives(stage, server, complaints);
  for (const { what, answered, args, hears } of stage.outcomes) {
    if (!answered) complaints.push(`no answer to ${what.slice(0, 80)}`);
    else if (args && hears) {
      const wrong = mishearing(args, hears);
      if (wrong !== undefined) complaints.push(`${what.slice(0, 80)}: ${wrong}`);
    }
  }
  const leak = leakIn(stage.frames);
  if (leak !== undefined) complaints.push(`leaked: ${leak}`);
  return {
    scenario,
    survived,
    answered: !interrupted && honest && stage.outcomes.every((outcome) => outcome.answered),
    leak,
    complaints: [...complaints, ...stage.complaints],
  };
}

async function lives(
  stage: Stage,
  server: Contestant,
  complaints: string[],
): Promise<{ survived: boolean; honest: boolean }> {
  await server.command("settle").catch(() => undefined);
  const honest = await stage.honest();
  if (!honest) complaints.push("the next honest call was not answered");
  // The honest call has been through the event loop: whatever was to kill the process has done so by now, and if it was not
  // answered, the news of the death may still be on its way.
  if (!honest) await within(server.ended, 500);
  if (!server.isAlive || server.ending) {
    complaints.push(`the process died: ${(await server.ended).lastWords.trim().slice(-600)}`);
    return { survived: false, honest };
  }
  return { survived: true, honest };
}

async function ended(
  stage: Stage,
  server: Contestant,
  options: PlayOptions,
  complaints: string[],
): Promise<{ survived: boolean; honest: boolean }> {
  const { at, graceMs } = stage.shutdown ?? { at: performance.now(), graceMs: 0 };
  const ending = await within(server.ended, at + graceMs + promisedMs + options.slackMs - performance.now());
  if (!ending)
    complaints.push(`the process still ran ${promisedMs + options.slackMs} ms after its grace period of ${graceMs} ms`);
  else if (ending.code !== 0)
    complaints.push(`the process ended with ${ending.code ?? ending.signal}: ${ending.lastWords.trim().slice(-600)}`);
  return { survived: ending?.code === 0, honest: true };
}

/** What it comes to, or nothing if it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
  });
  const first = await Promise.race([work, late]);
  clearTimeout(timer);
  return first;
}
