// What programs write: logs and JSON.
import type { Random } from "../../base/random.ts";
import { documentLength, fill, letters, own, type Writer } from "./part.ts";

const two = (n: number): string => String(n).padStart(2, "0");
const lower = "abcdefghijklmnopqrstuvwxyz";
const services = [
  "api",
  "auth",
  "billing",
  "cache",
  "db",
  "gateway",
  "indexer",
  "mailer",
  "queue",
  "web",
];
const events = [
  "connection accepted",
  "connection closed by peer",
  "request completed",
  "request timed out, retrying",
  "cache miss",
  "cache refreshed",
  "configuration reloaded",
  "disk usage above threshold",
  "job started",
  "job finished",
  "failed to open file: permission denied",
  "token expired for user",
  "worker exited with code",
  "slow query detected",
];
const paths = [
  "/",
  "/index.html",
  "/api/v1/users",
  "/api/v1/orders",
  "/login",
  "/static/app.js",
  "/health",
];

const ip = (rng: Random): string =>
  [10 + rng.int(200), rng.int(256), rng.int(256), 1 + rng.int(254)].join(".");

/** One document is one log: its form stays, its clock runs forward. */
export const log: Writer = (rng) => {
  let time = Date.UTC(2012 + rng.int(14), rng.int(12), 1 + rng.int(28)) + rng.int(86_400_000);
  const form = rng.int(4);
  const level = (): string => rng.pick(["INFO", "INFO", "INFO", "WARN", "ERROR", "DEBUG"]);
  const host = `${rng.pick(services)}-${1 + rng.int(20)}`;
  const line = (): string => {
    time += 1 + rng.int(30_000);
    const at = new Date(time);
    const iso = at.toISOString();
    const extra = rng.pick([
      ` id=${letters(rng, "0123456789abcdef", 8)}`,
      ` duration=${rng.int(5000)}ms`,
      ` user=${rng.int(100_000)}`,
      "",
    ]);
    if (form === 0) return `${iso} ${level()} [${rng.pick(services)}] ${rng.pick(events)}${extra}`;
    if (form === 1)
      return `${ip(rng)} - - [${iso.slice(0, 10)}:${iso.slice(11, 19)} +0000] "${rng.pick(["GET", "GET", "POST", "PUT"])} ${rng.pick(paths)} HTTP/1.1" ${rng.pick([200, 200, 200, 304, 404, 500])} ${rng.int(90_000)}`;
    if (form === 2) {
      const stamp = `${at.toUTCString().slice(8, 11)} ${two(at.getUTCDate())} ${iso.slice(11, 19)}`;
      return `${stamp} ${host} ${rng.pick(services)}[${100 + rng.int(30_000)}]: ${rng.pick(events)}${extra}`;
    }
    return `[${iso.slice(0, 10)} ${iso.slice(11, 23)}] ${level().toLowerCase()}: ${rng.pick(events)}${extra}`;
  };
  return fill(documentLength(rng), () => [own(line())]);
};

const keys =
  `id name type status count price total currency created_at updated_at email active tags items
  parent owner url version size color weight height width latitude longitude score rank enabled notes`
    .split(/\s+/)
    .filter(Boolean);

function value(rng: Random, key: string, depth: number): unknown {
  if (key === "items" || key === "parent" || key === "owner")
    return depth === 0 ? record(rng, 1) : null;
  if (key === "tags") return Array.from({ length: 1 + rng.int(4) }, () => word(rng));
  if (key.endsWith("_at")) return new Date(1.3e12 + rng.int(4e8) * 1000).toISOString();
  if (key === "email") return `${word(rng)}@example.org`;
  if (key === "url") return `https://example.org/${word(rng)}/${rng.int(1000)}`;
  if (key === "active" || key === "enabled") return rng.uniform() < 0.5;
  if (/name|type|status|currency|color|notes|version/.test(key)) return word(rng);
  return rng.uniform() < 0.6 ? rng.int(10_000) : Math.round(rng.uniform() * 1e5) / 100;
}

const syllables = "ba ce di fo gu la me ni ro su ta ve wi xo za sha the tri mon der lin ser".split(
  " ",
);
const word = (rng: Random): string =>
  Array.from({ length: 2 + rng.int(2) }, () => rng.pick(syllables)).join("") +
  (rng.int(4) ? "" : letters(rng, lower, 1));

const nested = new Set(["items", "parent", "owner"]);

/** At most one field holds a record of its own. */
function shape(rng: Random): string[] {
  const chosen = rng.shuffle([...keys]).slice(0, 3 + rng.int(4));
  const first = chosen.find((key) => nested.has(key));
  return chosen.filter((key) => key === first || !nested.has(key));
}

function record(rng: Random, depth: number, fields = shape(rng)): Record<string, unknown> {
  return Object.fromEntries(fields.map((key) => [key, value(rng, key, depth)]));
}

/** Lists of records of one shape: pretty, compact, or one a line. */
export const json: Writer = (rng) => {
  const length = documentLength(rng);
  const fields = shape(rng);
  const style = rng.int(3);
  const records: Record<string, unknown>[] = [];
  let text = "";
  while (text.length < length) {
    records.push(record(rng, 0, fields));
    text =
      style === 2
        ? records.map((one) => JSON.stringify(one)).join("\n")
        : JSON.stringify(records, null, style === 0 ? 2 : undefined);
  }
  return [own(text)];
};
