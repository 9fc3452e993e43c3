// What went wrong, where, what was got, what was wanted: one error type with a code.

export interface ErrorDetails {
  /** Where it happened: a file, an option, a site. */
  where?: string;
  got?: unknown;
  wanted?: unknown;
  /** What the reader can do about it. */
  hint?: string;
  cause?: unknown;
}

/** Every error that micrographia throws on purpose. `code` is stable, e.g. `shape/inner`. */
export class MicrographiaError extends Error {
  readonly code: string;
  readonly where?: string;
  readonly got?: unknown;
  readonly wanted?: unknown;
  readonly hint?: string;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "MicrographiaError";
    this.code = code;
    this.where = details.where;
    this.got = details.got;
    this.wanted = details.wanted;
    this.hint = details.hint;
  }
}

/** Throws. `fail("option/unknown", "no option --foo", { got: "--foo", wanted: "--seed" })`. */
export function fail(code: string, message: string, details: ErrorDetails = {}): never {
  throw new MicrographiaError(code, message, details);
}

/** Throws unless `condition` holds. */
export function check(
  condition: unknown,
  code: string,
  message: string,
  details: ErrorDetails = {},
): asserts condition {
  if (!condition) fail(code, message, details);
}

/** True for our errors, by shape and not by class, so that copies of the package agree. */
export function isError(error: unknown, code?: string): error is MicrographiaError {
  if (!(error instanceof Error) || error.name !== "MicrographiaError") return false;
  return code === undefined || (error as MicrographiaError).code === code;
}

/** The sentence for a terminal or a page: message, where, got, wanted, hint, one line each. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!isError(error)) return error.message;
  const lines = [`${error.message} (${error.code})`];
  if (error.where !== undefined) lines.push(`  where:  ${error.where}`);
  if (error.got !== undefined) lines.push(`  got:    ${show(error.got)}`);
  if (error.wanted !== undefined) lines.push(`  wanted: ${show(error.wanted)}`);
  if (error.hint !== undefined) lines.push(`  try:    ${error.hint}`);
  return lines.join("\n");
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : asJson(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/** Names the kind of what JSON cannot say: functions, and values from a hostile file that nest too deeply. */
function asJson(value: unknown): string {
  try {
    const text = JSON.stringify(value, (_, part) =>
      typeof part === "bigint" ? String(part) : part,
    );
    return text ?? `a ${typeof value}`;
  } catch {
    return `a ${typeof value}`;
  }
}
