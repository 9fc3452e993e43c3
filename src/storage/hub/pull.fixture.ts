// What tests of fetching share: small repositories, a hub that serves them, and a cache of each test's own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { type FakeHub, fakeHub, type HubWorld, repo } from "./hub.fixture.ts";
import { type PullOptions, pullModel } from "./pull.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const noise = (n: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 2654435761 + seed * 97 + (i >> 7)) & 255);

export const single = {
  "README.md": utf8("# tiny"),
  "config.json": utf8('{"model_type":"gpt2"}'),
  "model.safetensors": noise(50_000, 1),
  "pytorch_model.bin": noise(50_000, 2),
  "flax_model.msgpack": noise(2000, 3),
  "onnx/model.onnx": noise(2000, 4),
  "tokenizer.json": utf8("{}"),
};

export interface HubBench {
  readonly cacheDir: string;
  readonly hub: FakeHub | undefined;
  start(world: HubWorld): Promise<FakeHub>;
  pull(options?: PullOptions, name?: string): ReturnType<typeof pullModel>;
}

/** Called once at the top of a test file. */
export function hubBench(): HubBench {
  let cacheDir = "";
  let hub: FakeHub | undefined;
  beforeEach(() => {
    cacheDir = mkdtempSync(join(tmpdir(), "hub-"));
  });
  afterEach(async () => {
    await hub?.close();
    hub = undefined;
    rmSync(cacheDir, { recursive: true, force: true });
  });
  return {
    get cacheDir() {
      return cacheDir;
    },
    get hub() {
      return hub;
    },
    async start(world) {
      hub = await fakeHub(world);
      return hub;
    },
    pull: (options = {}, name = repo) =>
      pullModel(name, {
        cacheDir,
        endpoint: hub?.url,
        env: {},
        backoffMs: 1,
        token: "",
        ...options,
      }),
  };
}

export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "no error",
    (error: { code?: string }) => error.code ?? String(error),
  );
