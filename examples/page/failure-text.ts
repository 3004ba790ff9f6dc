/** The part of a failure that is for reading. */
export interface Reason {
  code?: string;
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

/** Where the messages are for whoever wrote the page. */
const unanswered: Partial<Record<string, string>> = {
  DISCONNECTED: "there is no connection just now, please try again",
  TIMEOUT: "no answer came, please try again",
};

/** What a person is told of a failure: of invalid input, what is wrong with it. */
export function failureText(failure: Reason): string {
  return firstIssue(failure)?.message ?? unanswered[failure.code ?? ""] ?? failure.message;
}

/** The same for a developer, who wants to know where in the input it was. */
export function failureDetail(failure: Reason): string {
  const issue = firstIssue(failure);
  return [...(issue?.path ?? []), (issue ?? failure).message].join(": ");
}
