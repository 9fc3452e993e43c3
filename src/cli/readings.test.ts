// Do the readings of the command line give TransformerLens' numbers, each beside its control?
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { unpack } from "../../test/golden/tensors.ts";
import { isError } from "../base/errors.ts";
import { fullCircuit, logitDifferences } from "../circuits/index.ts";
import {
  clean,
  numbers,
  other,
  readings,
  right,
  tokens,
  wrong,
} from "../circuits/reading.fixture.ts";
import { runWithCache } from "../hooks/index.ts";
import { tinyModel } from "../hooks/tiny.fixture.ts";
import { loadOrganism, type Model } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { tensor } from "../tensor/tensor.ts";
import { AttentionReportSchema, attentionReading } from "./read-attention.ts";
import { AttributionReportSchema, attributionReading } from "./read-attribution.ts";
import { CircuitsReportSchema, circuitsReading } from "./read-circuits.ts";
import { CompositionReportSchema, compositionReading } from "./read-composition.ts";
import { HeadsReportSchema, headsReading } from "./read-heads.ts";
import { LensReportSchema, lensReading } from "./read-lens.ts";
import { PatchReportSchema, patchReading } from "./read-patch.ts";
import { promptOf, type Reading, type ReadOptions, readPrompt, tokenOf } from "./read-session.ts";
import { StripReportSchema, stripReading } from "./read-strip.ts";
import { TunedSchema, tunedLens, tunedLines } from "./read-tuned-lens.ts";
import { askedReadings, layerList } from "./readings.ts";

const backend = ortBackend({ threads: 1 });
const folder = await mkdtemp(join(tmpdir(), "micrographia-readings-"));
afterAll(async () => {
  await backend.release();
  await rm(folder, { recursive: true });
});

/** What a reading gives after it went through JSON, in exactly the shape of its schema. */
async function read<R>(
  reading: Reading<R>,
  schema: z.ZodType<R>,
  model: Model,
  ids: Int32Array,
  options: Partial<ReadOptions>,
): Promise<R> {
  const session = {
    model,
    backend,
    prompt: promptOf(model, ids),
    options: { top: 5, seed: 0, ...options },
    context: {},
  };
  expect(askedReadings(session.options).map(({ name }) => name)).toEqual([reading.name]);
  const found = schema.parse(JSON.parse(JSON.stringify(await reading.read(session))));
  const ink = { width: 100, ink: (await import("./ink.ts")).plain };
  for (const line of reading.lines(found, ink)) expect(line.length).toBeLessThanOrEqual(100);
  return found;
}

const rowOf = (all: typeof tokens, row: number): Int32Array => {
  const n = all.shape[1]!;
  return all.data.slice(row * n, (row + 1) * n);
};

describe.each(readings)("$name", ({ model, read: golden }) => {
  const ids = rowOf(tokens, 0);
  const n = model.config.d_vocab;

  test("the lens: likeliest tokens, probability and rank of what came", async () => {
    const { layers } = await read(lensReading, LensReportSchema, model, ids, {
      lens: "logit",
      top: 2,
    });
    expect(layers.map(({ after }) => after)).toEqual([-1, 0, 1]);
    const all = numbers(golden.lens.logits);
    for (const [layer, { positions, kl }] of layers.entries()) {
      expect(kl.controls[0]!.kind).toBe("constant");
      for (const [t, { top, p_next, rank_next }] of positions.entries()) {
        const logits = all.subarray(layer * 20 * n + t * n, layer * 20 * n + (t + 1) * n);
        const sum = logits.reduce((s, x) => s + Math.exp(x), 0);
        const p = Array.from(logits, (x) => Math.exp(x) / sum);
        expect(top[0]!.p).toBeCloseTo(Math.max(...p), 4);
        expect(p[top[1]!.id]).toBeCloseTo(top[1]!.p, 4);
        const next = ids[t + 1];
        if (next === undefined) expect([p_next, rank_next]).toEqual([null, null]);
        else {
          expect(p_next).toBeCloseTo(p[next]!, 4);
          expect(rank_next).toBe(p.filter((x) => x > p[next]!).length);
        }
      }
    }
    const some = await read(lensReading, LensReportSchema, model, ids, {
      lens: "logit",
      layers: [1],
    });
    expect(some.layers).toEqual([expect.objectContaining({ after: 1 })]);
  });

  test("attention: the patterns, and how narrow they are beside uniform ones", async () => {
    const { heads, causal } = await read(attentionReading, AttentionReportSchema, model, ids, {
      attention: "0.1,1",
    });
    expect(causal).toBe(true);
    expect(heads.map(({ layer, head }) => [layer, head])).toEqual([
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    const previous = numbers(golden.scores.previous_token_head);
    for (const { layer, head, pattern, entropy } of heads) {
      const mean = pattern.reduce((sum, row, q) => sum + (q > 0 ? row[q - 1]! : 0), 0) / 10;
      expect(mean).toBeCloseTo(previous[2 * layer + head]!, 5);
      for (const row of pattern) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      const uniform = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].reduce((s, k) => s + Math.log(k) / 10, 0);
      expect(entropy.controls[0]!.value).toBeCloseTo(uniform, 10);
      expect(entropy.value).toBeLessThan(uniform);
    }
  });

  test("attribution: heads and neurons, and components that add up", async () => {
    const asked = { attribution: true, answer: `#${right[0]}`, wrong: `#${wrong[0]}` };
    const found = await read(attributionReading, AttributionReportSchema, model, ids, asked);
    const heads = numbers(golden.attribution.heads);
    for (const [i, { part, logits }] of found.heads.entries()) {
      expect(part).toBe(`${Math.floor(i / 2)}.${i % 2}`);
      expect(logits.value).toBeCloseTo(heads[2 * i]!, 4);
      expect(logits.controls[0]).toMatchObject({ kind: "random-tokens", draws: 16 });
    }
    const neurons = golden.attribution.neurons && numbers(golden.attribution.neurons);
    const width = model.config.d_mlp;
    expect(found.neurons).toHaveLength(neurons ? neurons.length / 2 : 0);
    for (const { part, logits } of found.neurons) {
      const [layer, neuron] = part.split(".").map(Number) as [number, number];
      expect(logits.value).toBeCloseTo(neurons![2 * (layer * width + neuron)]!, 4);
    }
    const sum = found.components.reduce((s, { logits }) => s + logits.value, 0);
    expect(sum).toBeCloseTo(found.difference, 3);
  });

  test("composition: which head reads which, strongest first", async () => {
    const asked = { composition: true };
    const found = await read(compositionReading, CompositionReportSchema, model, ids, asked);
    expect(found.pairs).toHaveLength(3 * 4);
    for (const [i, { kind, from, to, score }] of found.pairs.entries()) {
      const at = ((from.layer * 2 + from.head) * 2 + to.layer) * 2 + to.head;
      expect(score.value).toBeCloseTo(numbers(golden.circuits.composition[kind])[at]!, 5);
      expect(score.controls[0]!.kind).toBe("random-weights");
      if (i > 0) expect(score.value).toBeLessThanOrEqual(found.pairs[i - 1]!.score.value);
    }
  });

  test("patching: each cell is the patch by hand, in both directions", async () => {
    const corrupt = rowOf(other, 0).join(",");
    const asked = { corrupt, answer: `#${right[0]}`, wrong: `#${wrong[0]}`, paths: true };
    const found = await read(patchReading, PatchReportSchema, model, rowOf(clean, 0), asked);
    const sites = model.config.attn_only ? ["resid_pre", "z"] : ["resid_pre", "z", "mlp_out"];
    expect(found.sweeps.map(({ site, direction }) => `${site} ${direction}`)).toEqual(
      [...sites, "paths"].flatMap((site) => [`${site} noising`, `${site} denoising`]),
    );
    for (const { site, direction, cells } of found.sweeps) {
      if (site === "paths") continue;
      const { base, source, ...rest } = golden[direction];
      const [from, to] = [numbers(base)[0]!, numbers(source)[0]!];
      const [key, places] = site === "z" ? (["z", 2] as const) : ([site, 6] as const);
      const all = numbers(rest[key as "z"]);
      for (const { layer, position, head, effect } of cells) {
        const value = all[2 * (layer * places + (position ?? head!))]!;
        expect(effect.value).toBeCloseTo((value - from) / (to - from), 3);
        expect(effect.controls[0]).toMatchObject({ kind: "unrelated-prompt", draws: 4 });
      }
    }
  });

  test("strips: a loss, a unit, and the direction that reads the same unit", async () => {
    const width = model.config.d_model;
    const axis = Array.from({ length: width }, (_, i) => (i === 3 ? 1 : 0));
    const file = join(folder, "axis.json");
    writeFileSync(file, JSON.stringify(axis));
    const at = "blocks.1.hook_resid_post";
    const strip = ["loss", `${at}:3`, `${at}:${file}`, at];
    const { strips } = await read(stripReading, StripReportSchema, model, ids, { strip });
    const [loss, unit, direction, size] = strips;
    const logits = unpack(golden.logits).data;
    for (const [t, value] of loss!.values.entries()) {
      if (t === 0) expect(value).toBeNull();
      else {
        const row = logits.subarray((t - 1) * n, t * n);
        const sum = row.reduce((s, x) => s + Math.exp(x), 0);
        expect(value).toBeCloseTo(Math.log(sum) - row[ids[t]!]!, 4);
      }
    }
    const row = tensor("int32", [1, 10], ids);
    const { cache } = await runWithCache(model, backend, row, { sites: [at] });
    for (let t = 0; t < 10; t++) {
      expect(unit!.values[t]).toBeCloseTo(cache[at]!.data[t * width + 3]!, 5);
      const own = cache[at]!.data.subarray(t * width, (t + 1) * width);
      expect(size!.values[t]).toBeCloseTo(Math.hypot(...own), 4);
    }
    expect(direction!.values).toEqual(unit!.values);
    expect(strips.map(({ figure: { controls } }) => controls[0]!.kind)).toEqual([
      "uniform-prediction",
      "random-units",
      "random-directions",
      "random-tokens",
    ]);
  });
});

test("heads: every score beside uniform attention and shuffled weights", async () => {
  const model = tinyModel(2);
  const asked = { heads: true, layers: [1] };
  const found = await read(headsReading, HeadsReportSchema, model, Int32Array.of(1), asked);
  expect(found).toMatchObject({ rows: 8, length: 4, bos: null });
  expect(found.heads.map(({ layer, head }) => [layer, head])).toEqual([
    [1, 0],
    [1, 1],
  ]);
  for (const { copying, ...head } of found.heads) {
    expect(head.induction.controls.map(({ kind }) => kind)).toEqual([
      "uniform-attention",
      "permuted-weights",
    ]);
    expect(copying.controls).toEqual([expect.objectContaining({ draws: 16 })]);
  }
});

test("circuits: the largest entry of all, beside the head with its weights shuffled", async () => {
  const model = tinyModel(4, { normalization: "none" });
  const asked = { circuits: "1.0" };
  const found = await read(circuitsReading, CircuitsReportSchema, model, Int32Array.of(1), asked);
  for (const { circuit, layer, head, top, largest } of found.circuits) {
    const { data } = await fullCircuit(model, { layer, head, circuit });
    expect(largest.value).toBeCloseTo(Math.max(...data), 4);
    const [{ from, to, value }] = top as [(typeof top)[number]];
    expect(data[from.id * 9 + to.id]).toBeCloseTo(value, 4);
    expect(largest.controls[0]!.kind).toBe("permuted-weights");
  }
  expect(found.circuits.map(({ circuit }) => circuit)).toEqual(["QK", "OV"]);
});

test("a tuned lens is learned on some of the texts and judged on others", async () => {
  const { tokenizer } = await loadOrganism("field-1l");
  const model = { ...tinyModel(5, { d_vocab: tokenizer!.d_vocab }), tokenizer };
  const session = { model, backend, options: { top: 5, seed: 0 }, context: {} };
  const { lens, tuned } = await tunedLens(session, { steps: 2, batch: 4 });
  const { judged, ...learned } = TunedSchema.parse(JSON.parse(JSON.stringify(tuned)));
  expect(learned).toEqual({ steps: 2, tokens: 64, seed: 0 });
  expect(lens.A).toHaveLength(2);
  expect(judged.map(({ n_tokens }) => n_tokens)).toEqual([512, 512]);
  for (const { plain, tuned, gain } of judged)
    expect(gain.value).toBeCloseTo(plain.value - tuned.value, 6);
  expect(tunedLines(tuned).map((line) => line.replace(/[\d.]+/g, "0"))).toEqual([
    "tuned in 0 steps on 0 tokens; judged on 0 others of 0 documents:",
    expect.stringMatching(/^KL before +tuned +plain +constant$/),
    expect.stringMatching(/^block 0( +0 \(0 – 0\)){3} +(holds|fails|undecided)$/),
    expect.stringMatching(/^block 0( +0 \(0 – 0\)){3} +(holds|fails|undecided)$/),
  ]);
  const { tokenizer: _, ...without } = model;
  const refused = tunedLens({ ...session, model: without as Model });
  await expect(refused).rejects.toMatchObject({ code: "model/tokenizer" });
});

test("answers that are not named are the model's own two likeliest", async () => {
  const { model } = readings[0]!;
  const ids = rowOf(tokens, 1);
  const asked = { attribution: true };
  const found = await read(attributionReading, AttributionReportSchema, model, ids, asked);
  const row = tensor("int32", [1, 10], ids);
  const { logits } = await runWithCache(model, backend, row, { logits: true });
  const last = Array.from(logits!.data.subarray(9 * model.config.d_vocab));
  const order = last.map((_, id) => id).sort((a, b) => last[b]! - last[a]!);
  expect([found.right.id, found.wrong.id]).toEqual(order.slice(0, 2));
  const answers = { right: [order[0]!], wrong: [order[1]!] };
  const [difference] = await logitDifferences(model, backend, row, answers);
  expect(found.difference).toBeCloseTo(difference!, 5);
});

test("what cannot be read is refused by its code", async () => {
  const model = tinyModel();
  const code = async (of: () => unknown) => {
    try {
      await of();
    } catch (error) {
      return isError(error) ? error.code : String(error);
    }
    return "accepted";
  };
  const asks = (reading: Reading<unknown>, options: Partial<ReadOptions>) => () =>
    reading.read({
      model,
      backend,
      prompt: readPrompt(model, "1,2,3"),
      options: { top: 5, seed: 0, ...options },
      context: {},
    });
  expect(await code(() => readPrompt(model, "The cat"))).toBe("model/tokenizer");
  expect(await code(() => tokenOf(model, "#9", "--answer"))).toBe("option/unknown");
  expect(await code(() => tokenOf(model, " cat", "--answer"))).toBe("option/unknown");
  for (const [reading, options] of [
    [attentionReading, { attention: "2" }],
    [attentionReading, { attention: "0.2" }],
    [attentionReading, { attention: "x" }],
    [lensReading, { lens: "logit", layers: [2] }],
    [attributionReading, { attribution: true, answer: "#1", wrong: "#1" }],
    [stripReading, { strip: ["mlp_post:8"] }],
  ] as [Reading<unknown>, Partial<ReadOptions>][])
    expect(await code(asks(reading, options)), JSON.stringify(options)).toBe("option/unknown");
  expect(await code(asks(patchReading, { corrupt: "1,2" }))).toBe("text/length");
  expect(await code(asks(patchReading, { corrupt: "1,2,3" }))).toBe("circuits/pairs");
  expect(await code(asks(stripReading, { strip: ["pattern"] }))).toBe("site/axes");
  expect(await code(asks(stripReading, { strip: ["nowhere"] }))).toBe("site/unknown");
  expect(layerList("0,4-6")).toEqual([0, 4, 5, 6]);
  expect(() => layerList("4-2")).toThrow("layers");
});
