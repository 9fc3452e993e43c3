import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { fakeHub, repo } from "../storage/hub/hub.fixture.ts";
import { main } from "./program.ts";

const cacheDir = mkdtempSync(join(tmpdir(), "pull-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cacheDir, { recursive: true });
});

test("pull prints one document, and refuses what is not there with a code", async () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const hub = await fakeHub({
    revisions: {
      v1: { "config.json": bytes("{}"), "model.safetensors": bytes("w"), "a.gguf": bytes("g") },
    },
  });
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_HUB_CACHE", cacheDir);
  vi.stubEnv("HF_TOKEN", "hf_x");
  const out = await said(() => main(["pull", `${repo}@v1`, "--json", "--quiet"]));
  expect(out.code).toBe(0);
  expect(JSON.parse(out.text)).toMatchObject({
    repo,
    revision: "v1",
    files: ["config.json", "model.safetensors"],
    bytes: 3,
    fetched_bytes: 3,
    offline: false,
  });
  const chosen = await said(() => main(["pull", `${repo}@v1`, "--include", "*.gguf", "--json"]));
  expect(JSON.parse(chosen.text).files).toEqual(["a.gguf"]);
  const refused = await said(() => main(["pull", `${repo}@v2`, "--json", "--quiet"]));
  expect(refused.code).not.toBe(0);
  expect(JSON.parse(refused.text).problem.code).toBe("hub/revision");
  await hub.close();
});

async function said(work: () => Promise<number>): Promise<{ code: number; text: string }> {
  let text = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((chunk, ...rest) => {
    text += chunk;
    (rest.find((one) => typeof one === "function") as (() => void) | undefined)?.();
    return true;
  });
  const talk = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    return { code: await work(), text };
  } finally {
    out.mockRestore();
    talk.mockRestore();
  }
}
