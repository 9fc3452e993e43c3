// The jobs on a checkpoint of another family, which was not grown here: no recipe, weights that stay in their file.
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, describe as group, test } from "vitest";
import { openBundle } from "../analysis/bundle-read.ts";
import { loadDictionary, saveDictionary } from "../dictionaries/saelens.ts";
import { getText } from "../storage/store.ts";
import { readManifest, writeManifest } from "../workspace/artifact.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { DescribeInputSchema, describe } from "./describe.ts";
import { EvaluateInputSchema, evaluate } from "./evaluate.ts";
import type { JobContext } from "./events.ts";
import { RecordInputSchema, record } from "./record.ts";
import { openModel, openStudy } from "./study.ts";
import { TrainInputSchema, train } from "./train.ts";
import { wordPieces } from "./word-pieces.fixture.ts";

const golden = join(dirname(fileURLToPath(import.meta.url)), "../../test/golden/families/llama");
const site = "blocks.1.hook_resid_post";
let folder: string;
let model: string;
let workspace: Workspace;

function contextOf(run: string): JobContext {
  return {
    onProgress: () => {},
    onEvent: () => {},
    signal: new AbortController().signal,
    workspace,
    store: workspace.store,
    run,
    threads: 1,
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "family-"));
  workspace = await openWorkspace(join(folder, "project"));
  model = join(folder, "small-llama");
  await cp(golden, model, { recursive: true });
  await writeFile(join(model, "tokenizer.json"), JSON.stringify(wordPieces()));
});
afterAll(() => rm(folder, { recursive: true }));

const settings = () =>
  TrainInputSchema.parse({ model, site, d_sae: 24, k: 4, steps: 8, batch: 1024 });
const id = "small-llama-sae-24-k4-s0-blocks.1.hook_resid_post";

group("a Llama from a folder", () => {
  test("is opened with its weights in their file, and found again by its whole path", async () => {
    const opened = await openModel(model);
    expect(opened.model.config.family).toBe("llama");
    const sources = Object.values(opened.model.stored!.sources);
    expect(sources.every(({ kind }) => kind === "file")).toBe(true);
    expect(opened.reference).toBe(model);
    expect(opened.recipe).toBeNull();
  });

  test("records the stream of its last layer, on rows that begin as it was trained to see them", async () => {
    const texts = join(folder, "text.txt");
    await writeFile(texts, "the cat sat on the mat, and the dog sat there too. ".repeat(40));
    const input = RecordInputSchema.parse({ model, texts: [texts], site, tokens: 480 });
    const result = await record(input, contextOf("record"));
    expect(result.tokens).toBe(480);
    const manifest = JSON.parse(
      await getText(workspace.store, `${result.folder}/manifest.json`),
    ) as Record<string, unknown>;
    expect(manifest).toMatchObject({
      site,
      d: 16,
      n_ctx: 24,
      dtype: "float16",
      bos_policy: "before 1",
      processing: [],
    });
    expect(manifest.tokenizer_hash).toMatch(/^[0-9a-f]{64}$/);
  }, 60_000);

  test("has a dictionary trained, described and judged; what cannot be had is said", async () => {
    const trained = await train(settings(), contextOf("train"));
    expect(trained.dictionary).toBe(id);
    const { inputs, parameters } = await readManifest(workspace.store, `dictionaries/${id}`);
    expect(parameters.model).toBe(model);
    expect(inputs).toMatchObject({ bos_policy: "before 1", processing: "none", dtype: "float32" });
    const summary = await describe(
      DescribeInputSchema.parse({ dictionary: id }),
      contextOf("describe"),
    );
    expect(summary).toMatchObject({ unit: "feature", d_in: 16, site });
    const bundle = await openBundle(workspace.store, `bundles/${id}`);
    expect(bundle.manifest.inputs).toMatchObject({
      reference: model,
      model: inputs.model,
      tokenizer: inputs.tokenizer,
      bos_policy: "before 1",
      processing: "none",
      dtype: "float32",
    });
    const judged = await evaluate(
      EvaluateInputSchema.parse({ dictionary: id, full: true }),
      contextOf("evaluate"),
    );
    expect(judged.left_out.join()).toMatch(/step-0.*no recipe/);
    expect(Object.keys(judged.others)).not.toContain("step-0");
    expect(Object.keys(judged.others)).toContain("layer-wide");
  }, 240_000);

  test("without a recipe, has no texts of its own to be judged on", async () => {
    await expect(openStudy({ model, site, texts: folder }, {})).rejects.toMatchObject({
      code: "model/recipe",
    });
  });

  test("refuses a dictionary of other weights, with both hashes", async () => {
    const own = await loadDictionary(workspace.store, `dictionaries/${id}`);
    const metadata = { ...own.metadata, model_hash: "another" };
    const prefix = `dictionaries/${id}`;
    const { parameters, inputs, files } = await readManifest(workspace.store, prefix);
    await saveDictionary(workspace.store, prefix, { ...own, metadata });
    const parts = { kind: "dictionary", parameters, inputs, files: Object.keys(files) };
    await writeManifest(workspace.store, prefix, parts);
    const input = DescribeInputSchema.parse({ dictionary: id });
    await expect(describe(input, contextOf("other"))).rejects.toMatchObject({
      code: "dictionary/model",
      got: "another",
      wanted: own.metadata.model_hash,
    });
  }, 60_000);

  test("has its neurons described, above the threshold that a tenth of their values exceed", async () => {
    const input = DescribeInputSchema.parse({ neurons: model, site: "blocks.1.mlp.hook_post" });
    const summary = await describe(input, contextOf("neurons"));
    expect(summary).toMatchObject({
      id: "small-llama-neurons-blocks.1.mlp.hook_post",
      unit: "neuron",
      d_sae: 20,
      state: "controlled",
    });
    expect(summary.threshold).toBeGreaterThan(0);
    const bundle = await openBundle(workspace.store, `bundles/${summary.id}`);
    const rows = await bundle.rows();
    const mean = rows.reduce((sum, { density }) => sum + density, 0) / rows.length;
    expect(mean).toBeGreaterThan(0.08);
    expect(mean).toBeLessThan(0.12);
  }, 120_000);
});
