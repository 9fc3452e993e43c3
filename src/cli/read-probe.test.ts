// Does run --probe tell what stands in the activations from what a token alone, or chance, gives away?
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { loadOrganism } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { readFieldGuide } from "../text/index.ts";
import { plain } from "./ink.ts";
import { type ProbeReport, ProbeReportSchema, probeReading } from "./read-probe.ts";

const backend = ortBackend({ threads: 1 });
const model = await loadOrganism("field-1l");
const folder = await mkdtemp(join(tmpdir(), "micrographia-probe-"));
afterAll(async () => {
  await backend.release();
  await rm(folder, { recursive: true });
});
const guide = (await readFieldGuide()).filter(({ text }) => text.length < 1500);

function written(name: string, rows: readonly object[]): string {
  const path = join(folder, `${name}.jsonl`);
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return path;
}

async function probe(path: string, of = model): Promise<ProbeReport> {
  const session = { model: of, backend, options: { probe: path, top: 5, seed: 0 }, context: {} };
  expect(probeReading.asked(session.options)).toBe(true);
  const found = ProbeReportSchema.parse(
    JSON.parse(JSON.stringify(await probeReading.read(session))),
  );
  const lines = probeReading.lines(found, { width: 100, ink: plain });
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  return found;
}

const kinds = guide.filter(({ context }) => ["german", "contract", "code"].includes(context));

test("what a text is stands in a layer's activations, and not in labels dealt by chance", async () => {
  const rows = kinds.map(({ text, context }) => ({ text, label: context }));
  const { labels, sites } = await probe(written("kinds", rows));
  expect(labels).toEqual(["code", "contract", "german"]);
  expect(sites.map(({ site }) => site)).toEqual([
    "blocks.0.hook_resid_pre",
    "blocks.0.hook_resid_post",
  ]);
  const [before, after] = sites;
  expect(after!.verdict).toBe("holds");
  expect(after!.accuracy.value).toBeGreaterThan(before!.accuracy.value);
  expect(after!.accuracy.value).toBeGreaterThan(after!.tokenTable.value);

  const rng = random(3);
  const dealt = rows.map(({ text }) => ({ text, label: ["a", "b"][rng.int(2)]! }));
  const chance = await probe(written("chance", dealt));
  for (const { verdict } of chance.sites) expect(verdict).not.toBe("holds");
});

test("parts of a text have labels of their own, and separators have none", async () => {
  const rows = kinds.slice(0, 12).map(({ text }, i) => ({
    text,
    label: "rest",
    split: i % 2 === 0 ? "select" : "eval",
    spans: [{ start: 0, end: 20, label: "beginning" }],
  }));
  const { n_select, n_eval, sites } = await probe(written("spans", rows));
  const count = (part: number): number =>
    rows
      .filter((_, i) => i % 2 === part)
      .reduce((sum, { text }) => sum + model.tokenizer!.encode(text).length, 0);
  expect([n_select, n_eval]).toEqual([count(0), count(1)]);
  const majority = sites[0]!.majority.value;
  expect(majority).toBeGreaterThan(0.8);
});

test("what cannot be probed is refused by its code", async () => {
  const code = (path: string, of = model) =>
    probe(path, of).then(
      () => "accepted",
      (error) => error.code,
    );
  expect(await code(join(folder, "nothing.jsonl"))).toBe("storage/missing");
  expect(await code(written("one", [{ text: "a", label: "a" }]))).toBe("text/labels");
  const single = [
    { text: "moss", label: "a", split: "select" },
    { text: "rust", label: "b", split: "select" },
  ];
  expect(await code(written("unjudged", single))).toBe("text/labels");
  expect(await code("contexts", { ...model, tokenizer: undefined })).toBe("model/tokenizer");
});
