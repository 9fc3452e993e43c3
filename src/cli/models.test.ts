// Does the command line take checkpoints by their path, and say what it writes for them?
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { main } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "micrographia-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());
const gguf = "test/golden/checkpoints/gpt2-f16.gguf";

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest) => {
      out += text;
      const done = rest.at(-1);
      if (typeof done === "function") done();
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += text;
      return true;
    }),
  ];
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  try {
    const code = await main([...args, "--out", join(folder, "runs")]);
    return { code, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test("--no-cache widens in memory, and leaves nothing behind", async () => {
  const { code, out, err } = await cli("info", gguf, "--json", "--no-cache");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ name: "gpt2-f16", config: { family: "gpt2" } });
  expect(err).toMatch(/^float32 in memory: \d+ MB\n$/);
  expect(existsSync(join(folder, "cache"))).toBe(false);
});

test("weights of 4 bits are read when asked for, and it is said how far they are", async () => {
  const golden = "test/golden/checkpoints";
  const four = `${golden}/llama-q4_0.gguf`;
  const asked = ["--json", "--no-cache", "--quiet"];
  const refused = await cli("info", four, ...asked);
  expect(JSON.parse(refused.out).problem.code).toBe("format/gguf-blocks");
  const alone = await cli("info", "--blocks", four, ...asked);
  expect(JSON.parse(alone.out).dtype).toBe("float32 of blocks: 15 Q4_0; error not measured");
  const both = await cli("info", four, "--trained", `${golden}/llama-q8_0.gguf`, ...asked);
  expect(JSON.parse(both.out).dtype).toMatch(
    /^float32 of blocks: 15 Q4_0; relative error 0\.0863 to [0-9a-f]{12}$/,
  );
  const trained = await cli("info", `${golden}/llama-q8_0.gguf`, ...asked);
  expect(JSON.parse(trained.out).dtype).toBe("float32");
});

test("a GGUF file writes the same from its copy as from memory; the copy's size is said first", async () => {
  const ask = ["generate", gguf, "--prompt", "The moss", "--max_new_tokens", "4", "--json"];
  const kept = await cli(...ask);
  expect([kept.code, kept.err.split("\n")[0]]).toEqual([
    0,
    expect.stringMatching(/^float32 copy in the cache: \d+ MB$/),
  ]);
  expect(existsSync(join(folder, "cache/micrographia/widened"))).toBe(true);
  const held = await cli(...ask, "--no-cache", "--quiet");
  expect(held.err).toBe("");
  expect(JSON.parse(held.out)).toEqual(JSON.parse(kept.out));
});

test("a path that is no model is refused with both sides", async () => {
  const { code, err } = await cli("run", "test/golden/checkpoints/llama.bin", "--prompt", "x");
  expect(code).not.toBe(0);
  expect(err).toMatch(/model\/config/);
  expect(err).toMatch(/no config\.json beside/);
  const missing = await cli("run", "./not/there.gguf", "--prompt", "x");
  expect(missing.err).toMatch(/model\/missing/);
});

test("a chat template that the file lacks is asked for in vain", async () => {
  const { err } = await cli("generate", gguf, "--prompt", "x", "--chat", "--quiet");
  expect(err).toMatch(/text\/chat-template/);
});

test("info reads either tower of CLIP", async () => {
  const clip = "test/golden/encoders/clip";
  for (const tower of ["text", "image"]) {
    const { code, out } = await cli("info", clip, "--tower", tower, "--json", "--no-cache");
    expect(code).toBe(0);
    expect(JSON.parse(out).config.encoder.image !== undefined).toBe(tower === "image");
  }
  expect((await cli("info", clip)).err).toContain("model/tower");
});
