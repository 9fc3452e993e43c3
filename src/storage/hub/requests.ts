// One request to a hub: with the token, repeated when the network fails, its refusals explained.
import { type ErrorDetails, fail, isError } from "../../base/errors.ts";

export type Fetch = typeof fetch;

export interface RequestOptions {
  repo: string;
  revision: string;
  fetch: Fetch;
  signal?: AbortSignal;
  /** Milliseconds before the first repetition; doubles each time. */
  backoffMs: number;
  hasToken: boolean;
}

const tries = 4;

/** A response whose status is one of `accept`; otherwise a typed error. */
export async function request(
  url: string,
  init: RequestInit,
  options: RequestOptions,
  accept: readonly number[] = [200],
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    let response: Response;
    try {
      response = await options.fetch(url, { ...init, signal: init.signal ?? options.signal });
    } catch (cause) {
      if (options.signal?.aborted) stopped(cause);
      if (attempt === tries) unreachable(url, cause);
      await pause(options.backoffMs * 2 ** (attempt - 1), options.signal);
      continue;
    }
    if (accept.includes(response.status)) return response;
    await response.body?.cancel().catch(() => undefined);
    const again = response.status === 429 || response.status >= 500;
    if (!again || attempt === tries) refused(url, response, options);
    const asked = Number(response.headers.get("retry-after")) * 1000;
    await pause(
      asked > 0 ? Math.min(asked, 60_000) : options.backoffMs * 2 ** (attempt - 1),
      options.signal,
    );
  }
}

export function stopped(cause?: unknown): never {
  fail("run/interrupted", "stopped as asked", {
    hint: "run the same command again: what has arrived is kept",
    cause,
  });
}

/** True for errors that mean there is no way to the hub at all: the cache may still serve. */
export function isUnreachable(error: unknown): boolean {
  return isError(error, "hub/unreachable");
}

export function unreachable(url: string, cause: unknown): never {
  const reason = (cause as { cause?: { code?: string; message?: string } } | null)?.cause;
  fail("hub/unreachable", "the hub could not be reached", {
    where: new URL(url).origin,
    got: reason?.code ?? reason?.message ?? String(cause),
    hint: "check the network (HF_ENDPOINT names another hub); what has arrived is kept",
    cause,
  });
}

export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
  if (signal?.aborted) stopped();
}

const login = "set HF_TOKEN, or log in with `hf auth login`";

/** What a status means, by the hub's own X-Error-Code where it gives one. */
function refused(url: string, response: Response, { repo, revision, hasToken }: RequestOptions) {
  const { status } = response;
  const name = response.headers.get("x-error-code") ?? "";
  const details: ErrorDetails = {
    where: new URL(url).origin,
    got: `${status} ${name || response.statusText}`.trim(),
  };
  if (name === "RevisionNotFound")
    fail("hub/revision", `${repo} has no revision ${revision}`, {
      ...details,
      hint: `see what there is: ${new URL(url).origin}/${repo}/refs`,
    });
  if (name === "EntryNotFound")
    fail("hub/missing-file", `${repo} has no such file`, { ...details, where: url });
  if (name === "GatedRepo" || (status === 403 && name !== "RepoNotFound"))
    fail("hub/gated", `${repo} may not be read with this login`, {
      ...details,
      hint: hasToken
        ? `ask for access on ${new URL(url).origin}/${repo} with the account of this token`
        : `ask for access on ${new URL(url).origin}/${repo}, then ${login}`,
    });
  // The hub answers 401 for a repository that does not exist, lest private ones show.
  if (status === 401 || status === 404 || name === "RepoNotFound")
    fail(
      "hub/not-found",
      status === 401 && hasToken
        ? `${repo} does not exist, or the token is not valid for it`
        : `${repo} does not exist, or it is private`,
      {
        ...details,
        hint: hasToken ? "check the name and the token" : `check the name; if private, ${login}`,
      },
    );
  if (status === 429)
    fail("hub/busy", "the hub asks for fewer requests", { ...details, hint: "wait a few minutes" });
  return fail("hub/status", "the hub answered with an error", { ...details, where: url });
}
