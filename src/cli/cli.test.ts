import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LoggedEvent, RunEvent } from "../workspace/events.ts";
import { acquireLock } from "../workspace/lock.ts";
import { bar, duration, figures, number } from "./format.ts";
import { onInterrupt } from "./interrupt.ts";
import { talker } from "./talk.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-cli-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(...args: string[]): ReturnType<typeof startNode> {
  return startNode(fileURLToPath(new URL("./main.ts", import.meta.url)), ...args);
}

function startNode(...args: string[]): {
  child: ChildProcess;
  err(): string;
  ended: Promise<Ended>;
} {
  const env = { ...process.env, CI: "1" };
  const child = spawn(process.execPath, ["--import", "tsx", ...args], { env });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  return { child, err: () => err, ended };
}

/** The demo's frame around a job that needs no model. */
function live(input: object, options: object): ReturnType<typeof start> {
  const path = JSON.stringify(fileURLToPath(new URL("./live.ts", import.meta.url)));
  const given = { out: folder, threads: 1, open: false, port: 0, ...options };
  const script = `import { runLive } from ${path};
    process.exit(await runLive("rehearsal", ${JSON.stringify(input)}, ${JSON.stringify(given)}));`;
  return startNode("--input-type=module", "-e", script);
}

const cli = (...args: string[]): Promise<Ended> => start(...args).ended;

async function until(test: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !test(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(test()).toBe(true);
}

describe("micrographia", () => {
  test("says what it can do, and what was probably meant", async () => {
    const help = await cli("--help");
    expect(help.code).toBe(0);
    for (const verb of ["demo", "grow", "record", "train", "evaluate", "describe", "serve", "info"])
      expect(help.out).toMatch(new RegExp(`^  ${verb} `, "m"));
    const typo = await cli("dmeo");
    expect(typo).toMatchObject({ code: 2, out: "" });
    expect(typo.err).toContain("Did you mean demo?");
    const option = await cli("demo", "--sede", "3");
    expect(option).toMatchObject({ code: 2 });
    expect(option.err).toContain("Did you mean --seed?");
  });

  test.each([
    ["demo", "--port", "99999"],
    ["demo", "--d_sae", "0"],
    ["train", "--k", "-3"],
    ["train", "--lr", "fast"],
    ["record", "field-1l", "--dtype", "int8"],
    ["grow"],
  ])("%s %s %s is refused with 2", async (...args) => {
    expect(await cli(...args)).toMatchObject({ code: 2, out: "" });
  });

  test("tells one JSON document about itself, and leaves nothing behind", async () => {
    const out = join(folder, "none");
    const { code, out: text } = await cli("info", "--json", "--out", out);
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ node: process.version });
    const unknown = await cli("info", "nobody", "--json", "--out", out);
    expect(unknown.code).toBe(2);
    expect(JSON.parse(unknown.out).problem).toMatchObject({ code: "model/unknown", got: "nobody" });
    expect(unknown.err).toContain("model/unknown");
  });

  test("refuses a recipe that is not there, and a folder that somebody writes", async () => {
    const recipe = join(folder, "none.json");
    const missing = await cli("grow", recipe, "--json", "--quiet", "--out", join(folder, "runs"));
    expect(missing.code).toBe(2);
    expect(JSON.parse(missing.out).problem).toMatchObject({ code: "grow/recipe" });
    const lock = await acquireLock(join(folder, "runs", ".lock"));
    const locked = await cli("grow", recipe, "--json", "--out", join(folder, "runs"));
    expect(locked.code).toBe(1);
    expect(JSON.parse(locked.out).problem).toMatchObject({
      code: "workspace/locked",
      got: expect.stringContaining(`pid ${process.pid}`),
    });
    await lock.release();
  });

  test("a command that starts itself again hands on what it printed, and its exit code", async () => {
    // Linux with large pages on request: elsewhere it is one process, with the same answers.
    const env = "{ CI: '1', PATH: process.env.PATH, AGAIN: '1' }";
    const path = JSON.stringify(fileURLToPath(new URL("./again.ts", import.meta.url)));
    const script = `import { runAgain } from ${path};
      if (process.env.AGAIN) { console.log("again"); process.exit(7); }
      process.exit(await runAgain(${env}));`;
    const file = join(folder, "again.mts");
    await writeFile(file, script);
    expect(await startNode(file).ended).toMatchObject({ code: 7, out: "again\n" });
    const missing = await cli("generate", "nobody/nothing", "--prompt", "x");
    expect(missing).toMatchObject({ code: 2, out: "" });
  });

  test("serves until Ctrl-C, then ends with 130", async () => {
    const { child, err, ended } = start("serve", "--no-open", "--port", "0", "--out", folder);
    await until(() => err().includes("http://"));
    const url = /http:\S+/.exec(err())![0];
    const token = new URL(url).searchParams.get("token");
    expect(token).toMatch(/^[\w-]{22}$/);
    expect((await fetch(new URL("/api", url))).status).toBe(200);
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, out: "" });
  });
});

describe("a job with a page", () => {
  test("opens the page at once, ends with its figures, and does nothing twice", async () => {
    const { err, ended } = live({ steps: 30, step_ms: 50 }, { once: true, json: true });
    await until(() => err().includes("http://"));
    const url = /http:\S+/.exec(err())![0];
    const home = await (await fetch(new URL("/api", url))).json();
    expect(home).toMatchObject({ read_only: null });
    const { code, out } = await ended;
    expect(code).toBe(0);
    const { seconds, peak_memory, ...figures } = JSON.parse(out);
    expect(figures).toEqual({ steps: 30, sum: 465, continued_at: 0 });
    expect(seconds).toBeGreaterThan(1.5);
    expect(peak_memory).toBeGreaterThan(50e6);
    const again = await live({ steps: 30, step_ms: 50 }, { once: true, json: true }).ended;
    expect(JSON.parse(again.out)).toMatchObject({ sum: 465 });
    expect(again.err).not.toContain("count");
  });

  test("goes on serving when it is done, until Ctrl-C", async () => {
    const { child, err, ended } = live({ steps: 2, step_ms: 1 }, {});
    await until(() => err().includes("done: look at"));
    const url = /http:\S+/.exec(err())![0];
    expect((await fetch(new URL("/api", url))).status).toBe(200);
    child.kill("SIGINT");
    const { code, out } = await ended;
    expect(code).toBe(130);
    expect(out).toContain("sum");
  });

  test("drains on Ctrl-C, ends with 130, and continues later", async () => {
    const { child, err, ended } = live({ steps: 60, step_ms: 50 }, { once: true });
    await until(() => err().includes("· count"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, out: "" });
    const { out } = await live({ steps: 60, step_ms: 50 }, { once: true, json: true }).ended;
    const { sum, continued_at } = JSON.parse(out);
    expect(sum).toBe(1830);
    expect(continued_at).toBeGreaterThan(0);
  });
});

describe("Ctrl-C", () => {
  test("drains first, ends at once when it is meant, and is not counted twice", () => {
    let time = 0;
    const heard: string[] = [];
    const actions = { first: () => heard.push("first"), second: () => heard.push("second") };
    const interrupt = onInterrupt(actions, { now: () => time });
    expect(interrupt.asked).toBe(false);
    process.emit("SIGINT");
    // npm passes on what the terminal has sent already.
    time = 20;
    process.emit("SIGINT");
    expect(heard).toEqual(["first"]);
    expect(interrupt.asked).toBe(true);
    time = 5000;
    process.emit("SIGINT");
    expect(heard).toEqual(["first", "second"]);
    interrupt.off();
    expect(process.listenerCount("SIGHUP")).toBe(0);
  });
});

describe("on the terminal", () => {
  test("numbers are short", () => {
    expect([13_000_000, 12_345, 2048, 31.94, 0.0412, 0, -0.5, 1e-7].map(number)).toEqual([
      "13 M",
      "12.3 k",
      "2048",
      "31.9",
      ".041",
      "0",
      "-.500",
      "1.0e-7",
    ]);
    expect([4.2, 61, 3725].map(duration)).toEqual(["4 s", "1 min 01 s", "1 h 02 min"]);
    expect(bar(0.5, 4)).toBe("━━╌╌");
  });

  test("figures are lines, and records of records a table", () => {
    const contexts = { hebrew: { feature: 3, r: 0.78 }, latex: { feature: 41, r: 0.7 } };
    expect(figures({ dictionary: { L0: 32 }, contexts })).toEqual([
      "dictionary",
      "  L0  32",
      "contexts",
      "          feature     r",
      "  hebrew        3  .780",
      "  latex        41  .700",
    ]);
  });

  const events: RunEvent[] = [
    {
      type: "run-started",
      model: "m",
      site: "s",
      seed: 0,
      total_tokens: 100,
      stages: [{ name: "train", total: 100, unit: "tokens" }],
    },
    { type: "stage", name: "train", state: "running", done: 50, total: 100 },
    { type: "metric", tokens: 50, values: { FVU: 0.25 } },
    { type: "note", text: "reading texts" },
    { type: "stage", name: "train", state: "done", done: 100, total: 100 },
  ];
  const tell = (options: { isTTY: boolean; quiet?: boolean; color?: boolean }): string => {
    let text = "";
    let time = 0;
    const to = { write: (part: string) => (text += part), isTTY: options.isTTY };
    const talk = talker({ color: false, ...options, to, now: () => (time += 20_000) });
    events.forEach((event, i) => {
      talk.event({ at: 1000 * i, ...event } as LoggedEvent);
    });
    talk.end();
    return text;
  };

  test("progress is a moving line where lines can move", () => {
    const text = tell({ isTTY: true });
    expect(text).toContain("\r\u001b[Ktrain ━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 50 %  50 of 100 tokens");
    expect(text).toContain("FVU .250");
    expect(text).toContain("✓ train  100 tokens, 3 s\n");
    expect(text).not.toContain("\u001b[1m");
    expect(tell({ isTTY: true, color: true })).toContain("\u001b[1m");
  });

  test("progress is a few plain lines elsewhere, and nothing when quiet", () => {
    const text = tell({ isTTY: false });
    expect(text).not.toContain("\u001b");
    expect(text.split("\n")).toContain("· train");
    expect(text).toContain("reading texts\n");
    expect(tell({ isTTY: false, quiet: true })).toBe("");
  });
});
