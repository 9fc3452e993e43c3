// How does the app ask the server, and what comes back when it refuses?
import type { Problem } from "../../src/api/types.ts";

const tokenKey = "micrographia.token";

/** The token of the printed address moves from the URL into this tab's memory. */
export function keepToken(): void {
  const url = new URL(location.href);
  const token = url.searchParams.get("token");
  // A prompt's own `token` is a number: the token that is looked at.
  if (token === null || /^\d{1,7}$/.test(token)) return;
  sessionStorage.setItem(tokenKey, token);
  url.searchParams.delete("token");
  history.replaceState(history.state, "", url);
}

export class ApiProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ApiProblem";
    this.problem = problem;
  }
}

async function answer<T>(response: Response): Promise<T> {
  const type = response.headers.get("content-type") ?? "";
  if (response.ok && type.includes("json")) return (await response.json()) as T;
  const body: unknown = type.includes("json") ? await response.json().catch(() => null) : null;
  if (body !== null && typeof body === "object" && "code" in body)
    throw new ApiProblem(body as Problem);
  throw new ApiProblem({
    type: "about:blank",
    title: response.ok ? "The answer is not JSON." : `The server answered ${response.status}.`,
    status: response.status,
    code: `http/${response.status}`,
    got: `${response.status} ${type}`.trim(),
    wanted: "application/json",
  });
}

async function reach(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error(
      "The server does not answer. Start it again with npm start; this page goes on.",
    );
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answer<T>(await reach(path, { signal, headers: { accept: "application/json" } }));
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const token = sessionStorage.getItem(tokenKey);
  const headers: Record<string, string> = {
    accept: "application/json",
    "content-type": "application/json",
  };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  return answer<T>(
    await reach(path, { method: "POST", signal, headers, body: JSON.stringify(body) }),
  );
}

/** Commas and slashes of ids stay readable; everything else is escaped. */
export const part = (id: string | number): string => encodeURIComponent(String(id));
