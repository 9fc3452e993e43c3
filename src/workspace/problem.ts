// An error as it is told to whoever is not in this process: a run's page, a caller over HTTP (RFC 9457).
import { isError } from "../base/errors.ts";
import type { Problem } from "./run-state.ts";

/** By code, or by the part before the slash; anything else is our own fault: 500. */
const statuses: Readonly<Record<string, number>> = {
  "request/invalid": 400,
  "request/path": 400,
  "request/host": 403,
  "request/origin": 403,
  "request/token": 401,
  "request/unknown": 404,
  "request/too-long": 413,
  "request/busy": 503,
  "workspace/id": 400,
  "workspace/locked": 409,
  "workspace/read-only": 409,
  "storage/missing": 404,
  "storage/key": 400,
  "storage/full": 507,
  "job/input": 400,
  "job/unknown": 404,
  "dictionary/feature": 404,
  "feature/unknown": 404,
  "dictionary/unknown": 404,
  "dictionary/k": 400,
  "dictionary/size": 400,
  "model/unknown": 404,
  "site/unknown": 404,
  "site/unavailable": 404,
  "prompt/too-long": 413,
  "run/unknown": 404,
  "hub/repo": 400,
  "hub/no-match": 400,
  "hub/gated": 403,
  "hub/revision": 404,
  "hub/not-found": 404,
  "hub/status": 502,
  "hub/unreachable": 503,
  "hub/busy": 503,
  "model/missing": 404,
  "option/unknown": 400,
  "grow/recipe": 400,
  "grow/texts": 400,
  "train/settings": 400,
  "train/size": 400,
  // Files that came from outside and are not what they should be.
  circuits: 422,
  dictionary: 422,
  edit: 422,
  format: 422,
  generate: 422,
  hooks: 422,
  hub: 422,
  intervention: 422,
  model: 422,
  shape: 422,
  site: 422,
  text: 422,
  "run/not-running": 409,
};

export function statusOf(error: unknown): number {
  if (!isError(error)) return 500;
  return statuses[error.code] ?? statuses[error.code.split("/")[0]!] ?? 500;
}

export function problemOf(error: unknown): Problem {
  const message = error instanceof Error ? error.message : String(error);
  if (!isError(error))
    return {
      type: "urn:micrographia:internal",
      title: message === "" ? "something went wrong" : message,
      status: 500,
      code: "internal",
    };
  return {
    type: `urn:micrographia:${error.code.replace("/", ":")}`,
    title: message,
    status: statusOf(error),
    code: error.code,
    ...(error.where === undefined ? {} : { where: error.where }),
    ...(error.got === undefined ? {} : { got: show(error.got) }),
    ...(error.wanted === undefined ? {} : { wanted: show(error.wanted) }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
