import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commitOf, etagOf, type HubWorld } from "./hub.fixture.ts";
import { codeOf, hubBench, noise, single, utf8 } from "./pull.fixture.ts";
import type { PullOptions } from "./pull.ts";
import { hubSettings } from "./settings.ts";

const bench = hubBench();
const { start, pull } = bench;

const tree = (folder: string): string[] =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => !lstatSync(join(folder, name)).isDirectory())
    .sort();

test("only what the model needs comes, in Python's cache layout, links relative", async () => {
  const { log } = await start({ revisions: { main: single } });
  const pulled = await pull();
  const commit = commitOf(single);
  expect(pulled.commit).toBe(commit);
  expect(pulled.files).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  const folder = join(bench.cacheDir, "models--some-org--tiny");
  const blobs = pulled.files.map((name) => etagOf(single[name as keyof typeof single]));
  expect(tree(folder)).toEqual(
    [
      ...blobs.map((etag) => `blobs/${etag}`),
      "refs/main",
      ...pulled.files.map((name) => `snapshots/${commit}/${name}`),
    ].sort(),
  );
  expect(readFileSync(join(folder, "refs/main"), "utf8")).toBe(commit);
  expect(readlinkSync(join(pulled.folder, "config.json"))).toBe(`../../blobs/${blobs[0]}`);
  expect(new Uint8Array(readFileSync(join(pulled.folder, "model.safetensors")))).toEqual(
    single["model.safetensors"],
  );
  expect(bench.hub!.leaks).toBe(0);
  // Again: the commit is asked for, no file is.
  log.length = 0;
  const again = await pull();
  expect(again.fetchedBytes).toBe(0);
  expect(log.filter((line) => line.includes("resolve") || line.startsWith("store"))).toEqual([]);
});

test("a connection that is cut is continued by range, not begun again", async () => {
  const { log } = await start({ revisions: { main: single }, cuts: { "model.safetensors": 2 } });
  const seen: number[] = [];
  const { folder } = await pull({ onProgress: ({ done }) => seen.push(done) });
  const asked = log.filter((line) => line.startsWith("store model"));
  expect(asked.length).toBe(3);
  expect(asked[1]).toBe("store model.safetensors bytes=25000-");
  expect(asked[2]).toBe("store model.safetensors bytes=37500-");
  expect(readFileSync(join(folder, "model.safetensors")).equals(single["model.safetensors"])).toBe(
    true,
  );
  expect(seen.at(-1)).toBe(50_000 + 21 + 2);
});

test("what Xet holds comes over the bridge, is continued there, and has its SHA-256 checked", async () => {
  const world = { revisions: { main: single }, xet: true, cuts: { "model.safetensors": 1 } };
  const { log } = await start({ ...world, token: "hf_x" });
  const { folder, files } = await pull({ token: "hf_x" });
  expect(files).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  const blob = readlinkSync(join(folder, "model.safetensors"));
  expect(blob).toBe(`../../blobs/${etagOf(single["model.safetensors"])}`);
  const asked = log.filter((line) => line.includes("model.safetensors"));
  // Its address is signed for a while: the hub is asked for a new one each time.
  expect(asked.map((line) => line.replace(/.*resolve.[0-9a-f]+/, "resolve"))).toEqual([
    "resolve/model.safetensors",
    "store model.safetensors",
    "resolve/model.safetensors bytes=25000-",
    "store model.safetensors bytes=25000-",
  ]);
  expect(log.filter((line) => /xet|reconstruction/.test(line))).toEqual([]);
  expect(bench.hub!.leaks).toBe(0);
  bench.hub!.world.withoutLfs = true;
  await expect(pull({ token: "hf_x" })).rejects.toMatchObject({ code: "hub/answer" });
});

test("a file that an earlier process left behind is continued; a wrong one is fetched anew", async () => {
  const { log } = await start({ revisions: { main: single } });
  const weights = single["model.safetensors"];
  const partial = join(
    bench.cacheDir,
    "models--some-org--tiny/blobs",
    `${etagOf(weights)}.incomplete`,
  );
  for (const [left, ranges] of [
    [weights.subarray(0, 30_000), ["store model.safetensors bytes=30000-"]],
    [noise(30_000, 9), ["store model.safetensors bytes=30000-", "store model.safetensors"]],
    [noise(60_000, 9), ["store model.safetensors"]],
  ] as const) {
    rmSync(join(bench.cacheDir, "models--some-org--tiny"), { recursive: true, force: true });
    mkdirSync(join(partial, ".."), { recursive: true });
    writeFileSync(partial, left);
    log.length = 0;
    const { folder } = await pull();
    expect(log.filter((line) => line.startsWith("store"))).toEqual(ranges);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  }
});

test("a server that ignores ranges still gives the right bytes", async () => {
  await start({
    revisions: { main: single },
    cuts: { "model.safetensors": 1 },
    ignoreRanges: true,
  });
  const { folder } = await pull();
  expect(readFileSync(join(folder, "model.safetensors")).equals(single["model.safetensors"])).toBe(
    true,
  );
});

test("bytes that do not have the announced hash never get the blob's name", async () => {
  for (const [name, bytes] of [
    ["model.safetensors", noise(50_000, 5)],
    ["config.json", utf8('{"model_type":"evil"}')],
  ] as const) {
    rmSync(bench.cacheDir, { recursive: true });
    await bench.hub?.close();
    await start({ revisions: { main: single }, corrupt: { [name]: bytes } });
    expect(await codeOf(pull())).toBe("hub/checksum");
    expect(tree(bench.cacheDir).filter((path) => path.includes(etagOf(single[name])))).toEqual([]);
  }
});

test("a branch that moves keeps the old snapshot until the new one is whole", async () => {
  await start({ revisions: { main: single } });
  const old = await pull();
  const next = { ...single, "model.safetensors": noise(50_000, 7) };
  bench.hub!.world.revisions = { main: next, old: single };
  bench.hub!.world.corrupt = { "model.safetensors": noise(50_000, 8) };
  expect(await codeOf(pull())).toBe("hub/checksum");
  expect((await pull({ offline: true })).commit).toBe(old.commit);
  bench.hub!.world.corrupt = {};
  expect((await pull()).commit).toBe(commitOf(next));
  expect((await pull({ revision: old.commit })).fetchedBytes).toBe(0);
});

describe("refusals say what to do", () => {
  test.each<[string, HubWorld, PullOptions, string, RegExp]>([
    ["no such model", { revisions: {} }, {}, "hub/revision", /refs/],
    [
      "an unknown revision",
      { revisions: { main: single } },
      { revision: "v9" },
      "hub/revision",
      /refs/,
    ],
    [
      "a private model without a token",
      { revisions: { main: single }, token: "hf_x" },
      {},
      "hub/not-found",
      /HF_TOKEN/,
    ],
    [
      "a gated model without a token",
      { revisions: { main: single }, token: "hf_x", gated: true },
      {},
      "hub/gated",
      /HF_TOKEN/,
    ],
    [
      "a gated model with another's token",
      { revisions: { main: single }, token: "hf_x", gated: true },
      { token: "hf_y" },
      "hub/gated",
      /ask for access/,
    ],
    [
      "a full disk",
      { revisions: { main: single }, claims: { "model.safetensors": 2 ** 52 } },
      {},
      "storage/full",
      /HF_HUB_CACHE/,
    ],
  ])("%s", async (_, world, options, code, hint) => {
    await start(world);
    await expect(pull(options)).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) });
  });

  test("names that are no names, and files that would leave the folder", async () => {
    await start({ revisions: { main: { ...single, "../../evil": utf8("x") } } });
    expect(await codeOf(pull({}, "a/b/c"))).toBe("hub/repo");
    expect(await codeOf(pull({}, "../etc"))).toBe("hub/repo");
    expect(await codeOf(pull({ revision: "../x" }))).toBe("hub/revision");
    expect(await codeOf(pull())).toBe("hub/path");
    expect(await codeOf(pull({}, "other/tiny"))).toBe("hub/not-found");
  });
});

test("the right token opens a private model and does not leave the hub's own address", async () => {
  await start({ revisions: { main: single }, token: "hf_secret" });
  const { files } = await pull({ token: undefined, env: { HF_TOKEN: "hf_secret" } });
  expect(files).toContain("model.safetensors");
  expect(bench.hub!.leaks).toBe(0);
});

test("without a network the cache serves, or the error names the hub and what to run", async () => {
  await start({ revisions: { main: single } });
  await expect(pull({ offline: true })).rejects.toMatchObject({
    code: "hub/offline",
    hint: expect.stringContaining("micrographia pull some-org/tiny"),
  });
  const { commit } = await pull();
  const away = { endpoint: "http://127.0.0.1:9" };
  expect(await pull(away)).toMatchObject({ commit, offline: true });
  expect(await pull({ env: { HF_HUB_OFFLINE: "1" }, ...away })).toMatchObject({ commit });
  expect(await codeOf(pull(away, "some-org/other"))).toBe("hub/unreachable");
});

test("a busy hub is asked again; a dead one is given up after a few tries", async () => {
  await start({ revisions: { main: single }, busy: 2 });
  expect((await pull()).files.length).toBe(3);
  bench.hub!.world.busy = 1000;
  bench.hub!.world.revisions.main = { ...single, "config.json": utf8("{ }") };
  expect(await codeOf(pull())).toBe("hub/status");
});

test("stopping keeps what has arrived, and leaves no lock", async () => {
  await start({ revisions: { main: single }, cuts: { "model.safetensors": 1000 } });
  const stop = new AbortController();
  const work = pull({
    signal: stop.signal,
    backoffMs: 50,
    onProgress: ({ done }) => {
      if (done > 20_000) stop.abort();
    },
  });
  expect(await codeOf(work)).toBe("run/interrupted");
  const left = tree(bench.cacheDir);
  expect(left.filter((name) => name.endsWith(".incomplete")).length).toBe(1);
  expect(left.filter((name) => name.endsWith(".lock"))).toEqual([]);
});

test("two at once fetch each blob once", async () => {
  const { log } = await start({ revisions: { main: single } });
  await Promise.all([pull(), pull(), pull()]);
  expect(log.filter((line) => line.startsWith("store")).length).toBe(1);
});

test("the environment is read as Python reads it", async () => {
  const at = async (env: Record<string, string>) => hubSettings({ env });
  expect((await at({ HF_HOME: "/a" })).cacheDir).toBe("/a/hub");
  expect((await at({ HF_HOME: "/a", HF_HUB_CACHE: "$X/c", X: "/b" })).cacheDir).toBe("/b/c");
  expect((await at({ XDG_CACHE_HOME: "/x" })).cacheDir).toBe("/x/huggingface/hub");
  expect((await at({ HF_ENDPOINT: "https://mirror/" })).endpoint).toBe("https://mirror");
  expect((await at({ HF_HUB_OFFLINE: "true" })).offline).toBe(true);
  writeFileSync(join(bench.cacheDir, "token"), "hf_file\n");
  expect((await at({ HF_HOME: bench.cacheDir })).token).toBe("hf_file");
  expect((await at({ HF_HOME: bench.cacheDir, HF_TOKEN: "hf_env" })).token).toBe("hf_env");
  expect((await at({ HF_TOKEN_PATH: join(bench.cacheDir, "none") })).token).toBe(undefined);
});
