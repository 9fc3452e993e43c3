import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commitOf, etagOf, type FakeHub, fakeHub, type HubWorld, repo } from "./hub.fixture.ts";
import { type PullOptions, pullModel } from "./pull.ts";
import { hubSettings } from "./settings.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const noise = (n: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 2654435761 + seed * 97 + (i >> 7)) & 255);

const single = {
  "README.md": utf8("# tiny"),
  "config.json": utf8('{"model_type":"gpt2"}'),
  "model.safetensors": noise(50_000, 1),
  "pytorch_model.bin": noise(50_000, 2),
  "flax_model.msgpack": noise(2000, 3),
  "onnx/model.onnx": noise(2000, 4),
  "tokenizer.json": utf8("{}"),
};

let cacheDir: string;
let hub: FakeHub | undefined;

beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), "hub-"));
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  rmSync(cacheDir, { recursive: true, force: true });
});

async function start(world: HubWorld): Promise<FakeHub> {
  hub = await fakeHub(world);
  return hub;
}

const pull = (options: PullOptions = {}, name = repo) =>
  pullModel(name, { cacheDir, endpoint: hub?.url, env: {}, backoffMs: 1, token: "", ...options });

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "no error",
    (error: { code?: string }) => error.code ?? String(error),
  );

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
  const folder = join(cacheDir, "models--some-org--tiny");
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
  expect(hub!.leaks).toBe(0);
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
  expect(hub!.leaks).toBe(0);
  hub!.world.withoutLfs = true;
  await expect(pull({ token: "hf_x" })).rejects.toMatchObject({ code: "hub/answer" });
});

test("a file that an earlier process left behind is continued; a wrong one is fetched anew", async () => {
  const { log } = await start({ revisions: { main: single } });
  const weights = single["model.safetensors"];
  const partial = join(cacheDir, "models--some-org--tiny/blobs", `${etagOf(weights)}.incomplete`);
  for (const [left, ranges] of [
    [weights.subarray(0, 30_000), ["store model.safetensors bytes=30000-"]],
    [noise(30_000, 9), ["store model.safetensors bytes=30000-", "store model.safetensors"]],
    [noise(60_000, 9), ["store model.safetensors"]],
  ] as const) {
    rmSync(join(cacheDir, "models--some-org--tiny"), { recursive: true, force: true });
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
    rmSync(cacheDir, { recursive: true });
    await hub?.close();
    await start({ revisions: { main: single }, corrupt: { [name]: bytes } });
    expect(await codeOf(pull())).toBe("hub/checksum");
    expect(tree(cacheDir).filter((path) => path.includes(etagOf(single[name])))).toEqual([]);
  }
});

test("shards come as the index names them, others do not", async () => {
  const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } };
  const sharded = {
    "config.json": utf8("{}"),
    "model-1.safetensors": noise(1500, 1),
    "model-2.safetensors": noise(1500, 2),
    "model.fp16.safetensors": noise(1500, 3),
    "model.safetensors.index.json": utf8(JSON.stringify(index)),
  };
  await start({ revisions: { main: sharded } });
  expect((await pull()).files).toEqual([
    "config.json",
    "model-1.safetensors",
    "model-2.safetensors",
    "model.safetensors.index.json",
  ]);
  rmSync(join((await pull()).folder, "model-2.safetensors"));
  await expect(pull({ offline: true })).rejects.toMatchObject({
    code: "hub/incomplete",
    got: "missing: model-2.safetensors",
    hint: "micrographia pull some-org/tiny",
  });
});

test("pickles come only without safetensors, other kinds only when asked for", async () => {
  const { "model.safetensors": _, ...rest } = single;
  await start({ revisions: { main: rest } });
  expect((await pull()).files).toEqual(["config.json", "pytorch_model.bin", "tokenizer.json"]);
  expect((await pull({ include: ["*.onnx", "README*"] })).files).toEqual([
    "README.md",
    "onnx/model.onnx",
  ]);
  expect((await pull({ all: true })).files.length).toBe(6);
  expect(await codeOf(pull({ include: ["*.gguf"] }))).toBe("hub/no-match");
  const { "pytorch_model.bin": __, ...none } = rest;
  hub!.world.revisions.main = none;
  expect(await codeOf(pull())).toBe("hub/no-weights");
});

test("of a repository with GGUF alone comes its one model, every part of it", async () => {
  const parts = [1, 2].map((i) => `q/tiny-Q8_0-0000${i}-of-00002.gguf`);
  const files = {
    "README.md": utf8("# tiny"),
    "mmproj-tiny-f16.gguf": noise(3000, 5),
    "imatrix.gguf": noise(3000, 6),
    ...Object.fromEntries(parts.map((name, i) => [name, noise(4000, i)])),
  };
  await start({ revisions: { main: files } });
  expect((await pull()).files).toEqual(parts);
  const { [parts[1]!]: _, ...cut } = files as Record<string, Uint8Array>;
  hub!.world.revisions.main = cut;
  expect(await codeOf(pull())).toBe("hub/missing-file");
});

test("of several quantisations none is guessed: the refusal lists them, --include picks", async () => {
  const names = ["tiny-Q2_K.gguf", "tiny-Q4_K_M.gguf", "tiny-f16.gguf"];
  const files = Object.fromEntries(names.map((name, i) => [name, noise((i + 1) * 2 ** 20, i)]));
  await start({ revisions: { main: { "config.json": utf8("{}"), ...files } } });
  await expect(pull()).rejects.toMatchObject({
    code: "hub/several-weights",
    got: "tiny-Q2_K.gguf (1.0 MB), tiny-Q4_K_M.gguf (2.0 MB), tiny-f16.gguf (3.0 MB)",
    hint: `choose: micrographia pull ${repo} --include 'tiny-f16.gguf'`,
  });
  expect((await pull({ include: ["*Q2_K*"] })).files).toEqual(["tiny-Q2_K.gguf"]);
});

test("a branch that moves keeps the old snapshot until the new one is whole", async () => {
  await start({ revisions: { main: single } });
  const old = await pull();
  const next = { ...single, "model.safetensors": noise(50_000, 7) };
  hub!.world.revisions = { main: next, old: single };
  hub!.world.corrupt = { "model.safetensors": noise(50_000, 8) };
  expect(await codeOf(pull())).toBe("hub/checksum");
  expect((await pull({ offline: true })).commit).toBe(old.commit);
  hub!.world.corrupt = {};
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
  expect(hub!.leaks).toBe(0);
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
  hub!.world.busy = 1000;
  hub!.world.revisions.main = { ...single, "config.json": utf8("{ }") };
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
  const left = tree(cacheDir);
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
  writeFileSync(join(cacheDir, "token"), "hf_file\n");
  expect((await at({ HF_HOME: cacheDir })).token).toBe("hf_file");
  expect((await at({ HF_HOME: cacheDir, HF_TOKEN: "hf_env" })).token).toBe("hf_env");
  expect((await at({ HF_TOKEN_PATH: join(cacheDir, "none") })).token).toBe(undefined);
});
