// How a command ends: 0 done, 1 failed, 2 bad arguments or input, 130 interrupted.
import { problemOf } from "../workspace/problem.ts";
import type { Problem } from "../workspace/run-state.ts";

export const exit = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Files that were given and are not what they should be. */
const damaged = /^(artifact|bundle)\//;

/** What the caller could have known is 2; a locked folder or a full disk is nobody's mistake: 1. */
export function exitCodeOf(problem: Problem): number {
  const { code, status } = problem;
  if (code === "run/interrupted") return exit.interrupted;
  if (damaged.test(code)) return exit.usage;
  return status >= 400 && status < 500 && status !== 409 ? exit.usage : exit.failed;
}

export function exitCodeOfError(error: unknown): number {
  return exitCodeOf(problemOf(error));
}

/** As it stands on a terminal: the sentence, then got, wanted, and what to try. */
export function problemText({ title, code, where, got, wanted, hint }: Problem): string {
  const lines = [`error: ${title} (${code})`];
  if (where !== undefined) lines.push(`  where:  ${where}`);
  if (got !== undefined) lines.push(`  got:    ${got}`);
  if (wanted !== undefined) lines.push(`  wanted: ${wanted}`);
  if (hint !== undefined) lines.push(`  try:    ${hint}`);
  return lines.join("\n");
}
