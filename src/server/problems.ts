// How an error is answered over HTTP: problem details, RFC 9457.
import { problemOf } from "../workspace/problem.ts";

export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store" },
  });
}
