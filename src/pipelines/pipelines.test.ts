// The jobs on a small random model: what they leave, and that stopping and repeating are safe.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, describe as group, test } from "vitest";
import { openBundle } from "../analysis/bundle-read.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import { measureContexts } from "../evidence/index.ts";
import { folderStore } from "../storage/folder.ts";
import type { RunEvent } from "../workspace/events.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { DemoInputSchema, demo } from "./demo.ts";
import type { JobContext } from "./events.ts";
import type { Figures } from "./figures.ts";
import { densityMatchedFigures, randomDirectionFigures } from "./nulls.ts";
import { RecordInputSchema, record } from "./record.ts";
import { openStudy } from "./study.ts";
import { tinyConfig, writeTinyModel } from "./tiny-model.fixture.ts";
import { TrainInputSchema, train } from "./train.ts";
import { unitPair } from "./units.ts";

let folder: string;
let workspace: Workspace;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipelines-"));
  workspace = await openWorkspace(join(folder, "project"));
  model = join(folder, "tiny");
  await writeTinyModel(model);
});

afterAll(() => rm(folder, { recursive: true }));

function contextOf(run: string, signal = new AbortController().signal) {
  const events: RunEvent[] = [];
  const context: JobContext = {
    onProgress: () => {},
    onEvent: (event) => void events.push(event),
    signal,
    workspace,
    store: workspace.store,
    run,
    threads: 1,
  };
  return { context, events };
}

group("demo", () => {
  const input = () => DemoInputSchema.parse({ model, d_sae: 64, k: 8, tokens: 24_576 });

  let first: Figures;

  test("leaves first pages, whole pages, and pages with their control, in this order", async () => {
    const { context, events } = contextOf("demo");
    first = await demo(input(), context);
    const figures = first;
    const bundles = events.filter((event) => event.type === "bundle");
    expect(bundles.map((event) => event.state)).toEqual(["interim", "described", "controlled"]);
    const bundle = await openBundle(workspace.store, "bundles/tiny-sae-64-k8-s0");
    expect(bundle.summary.state).toBe("controlled");
    expect((await bundle.readPage(3)).index).toBe(3);
    expect(figures.dictionary.L0).toBeLessThanOrEqual(8);
    // Nothing was learned by a random model: no context may have a feature that clears its control by far.
    const claimed = Object.values(figures.contexts).filter(({ verdict }) => verdict === "holds");
    expect(claimed.length).toBeLessThan(Object.keys(figures.contexts).length / 4);
    for (const { control_r_given_token } of Object.values(figures.contexts))
      expect(control_r_given_token).not.toBeNull();
  }, 120_000);

  test("a dictionary that is there is not trained again, and the figures are the same", async () => {
    const { context, events } = contextOf("again");
    const second = await demo(input(), context);
    expect(events.some((event) => event.type === "metric" && "FVU" in event.values)).toBe(false);
    expect(second).toEqual(first);
  }, 120_000);
});

group("nulls", () => {
  test("units that nobody trained or chose say nothing about a context", async () => {
    const { context } = contextOf("nulls");
    const study = await openStudy({ model, site: "blocks.0.mlp.hook_post" }, context);
    const dictionary = await loadDictionary(workspace.store, "dictionaries/tiny-sae-64-k8-s0");
    const units = await unitPair(study, dictionary, {}, context);
    const figures = await measureContexts(units, study.ground);
    const matched = await densityMatchedFigures(study, units, figures, 0, { draws: 4 });
    const directions = await randomDirectionFigures(study, dictionary, 0, context);
    expect(Object.keys(matched)).toEqual(figures.map((one) => one.context));
    const chosen = directions.map((one) => one.r_given_token.value);
    for (const r of [...Object.values(matched), ...chosen]) expect(Math.abs(r)).toBeLessThan(0.25);
  }, 120_000);
});

group("train", () => {
  const input = (seed: number) =>
    TrainInputSchema.parse({ model, d_sae: 48, k: 4, steps: 12, batch: 1024, seed });

  test("stopped and run again, leaves the same weights as without a stop", async () => {
    const whole = await train(input(1), contextOf("whole").context);
    const before = await loadDictionary(workspace.store, `dictionaries/${whole.dictionary}`);
    await rm(join(workspace.folder, "dictionaries", whole.dictionary), { recursive: true });

    const stop = new AbortController();
    const { context } = contextOf("stopped", stop.signal);
    let seen = 0;
    context.onEvent = (event) => {
      if (event.type === "metric" && ++seen === 1) stop.abort();
    };
    await expect(train(input(1), context)).rejects.toMatchObject({ code: "run/interrupted" });
    await train(input(1), contextOf("continued").context);
    const after = await loadDictionary(workspace.store, `dictionaries/${whole.dictionary}`);
    expect(after.W_enc).toEqual(before.W_enc);
    expect(after.b_dec).toEqual(before.b_dec);
  }, 120_000);

  test("an unknown model and an unknown site are refused by name", async () => {
    const { context } = contextOf("refused");
    await expect(train({ ...input(1), model: "nowhere" }, context)).rejects.toMatchObject({
      code: "model/missing",
    });
    const site = "blocks.0.mlp.hook_pots";
    await expect(train({ ...input(1), site }, context)).rejects.toMatchObject({
      code: "site/unknown",
    });
  });
});

group("record", () => {
  test("writes the shards of a folder of texts and counts what it skipped", async () => {
    const texts = join(folder, "texts");
    const store = folderStore(texts);
    const prose = "The harbour was quiet, and the boats lay still in the morning. ".repeat(60);
    await store.put("a.txt", new TextEncoder().encode(prose));
    await store.put("b.bin", new Uint8Array(4096));
    const { context } = contextOf("record");
    const result = await record(RecordInputSchema.parse({ model, texts: [texts] }), context);
    expect(result.skipped.binary).toBe(1);
    expect(result.tokens).toBe(result.rows * tinyConfig.n_ctx);
    expect(await workspace.store.list(`${result.folder}/`)).toContain(
      `${result.folder}/manifest.json`,
    );
  });
});
