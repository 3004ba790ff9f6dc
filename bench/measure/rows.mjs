/** Rows that are measured one after another: one that fails is not measured, and the run goes on. */

/** What `measure` resolves to; where it fails, `undefined`, and the log says why. */
export async function attempt(title, log, measure) {
  try {
    return await measure();
  } catch (error) {
    log(`${title}: not measured: ${String(error?.message ?? error).split("\n")[0]}`);
    return undefined;
  }
}

/**
 * Measures rows one after another on one server, opened by `open`. What a row that failed has left behind is not worth
 * guessing: its server is stopped, and the rows after it get a new one.
 */
export async function onOneServer(rows, { open, title, log, measure }) {
  let server;
  for (const row of rows) {
    const measured = await attempt(title(row), log, async () => {
      server ??= await open();
      await measure(server, row);
      return true;
    });
    if (measured) continue;
    await server?.stop();
    server = undefined;
  }
  await attempt("closing the connections", log, () => server?.end());
}
