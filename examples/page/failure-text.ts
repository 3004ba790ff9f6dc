/** The part of a failure that is for reading. */
export interface Reason {
  message: string;
  details?: unknown;
}

interface Issue {
  path?: readonly (string | number)[];
  message: string;
}

function firstIssue({ details }: Reason): Issue | undefined {
  return (details as { issues?: Issue[] } | undefined)?.issues?.[0];
}

/** What a person is told of a failure: of invalid input, what is wrong with it. */
export function failureText(failure: Reason): string {
  return firstIssue(failure)?.message ?? failure.message;
}

/** The same for a developer, who wants to know where in the input it was. */
export function failureDetail(failure: Reason): string {
  return [...(firstIssue(failure)?.path ?? []), failureText(failure)].join(": ");
}
