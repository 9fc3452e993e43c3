// A synthetic world described, stored, read back, given its control; and damaged bundles refused.
import { gunzipSync, gzipSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { beforeAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { plainProduct } from "../evidence/bootstrap.ts";
import { poolControls } from "../evidence/control.ts";
import { type Ground, layGround, measureContexts } from "../evidence/judge.ts";
import { honestUnits, makeColumns, makeLabels } from "../evidence/world.fixture.ts";
import { memoryStore } from "../storage/memory.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { applyControl } from "./apply-control.ts";
import { openBundle } from "./bundle-read.ts";
import { type DescribeInput, type DescribeResult, describeColumns } from "./describe.ts";
import { FeaturePageSchema } from "./page.ts";

const d_sae = 7;
const d_in = 5;
const select = makeLabels(1, { documents: 60, length: 60 });
const judged = makeLabels(2, { documents: 70, length: 60 });
/** The last unit never fires. */
const units = (labels: typeof select, seed: number) => {
  const rule = honestUnits(labels);
  return makeColumns(labels, d_sae, (t, u, rng) => (u === 6 ? 0 : rule(t, u, rng)), seed);
};
const silent = (labels: typeof select, seed: number) =>
  makeColumns(labels, d_sae, (_, __, rng) => (rng.uniform() < 0.1 ? rng.uniform() : 0), seed);

let ground: Ground;
let store: Store;
let described: DescribeResult;
const normal = (n: number) => {
  const rng = random(3);
  return Float32Array.from({ length: n }, () => rng.normal());
};

function inputs(over: Partial<DescribeInput> = {}): DescribeInput {
  return {
    store,
    prefix: "bundles/x",
    summary: {
      id: "x",
      model: "m",
      site: "blocks.0.mlp.hook_post",
      architecture: "topk",
      d_in,
      k: 3,
      seed: 0,
      tokens: 10,
    },
    revision: 1,
    W_dec: normal(d_sae * d_in),
    tokenizer: { pieces: (ids) => Array.from(ids, (id) => ({ text: ` w${id}` })) },
    ground,
    record: async (split) => ({
      columns: split === "select" ? units(select, 3) : units(judged, 4),
    }),
    path: { W_out: null, W_U: normal(d_in * 30), d_model: d_in, d_vocab: 30, exact: true },
    product: plainProduct,
    ...over,
  };
}

beforeAll(async () => {
  ground = await layGround(select, judged);
  store = memoryStore();
  described = await describeColumns(inputs());
});

test("every stored page fits its schema, and the row says what the page says", async () => {
  const bundle = await openBundle(store, "bundles/x");
  const rows = await bundle.rows();
  expect(rows).toHaveLength(d_sae);
  expect(bundle.summary).toMatchObject({ alive: 6, dead: 1, state: "described", revision: 1 });
  for (const row of rows) {
    const page = FeaturePageSchema.parse(
      JSON.parse(gunzipSync(await bundle.page(row.index)).toString()),
    );
    expect(page.index).toBe(row.index);
    expect(page.name).toBe(row.name);
    expect(row.reading?.estimate.value).toBe(
      page.claims.find((c) => c.metric === "r_given_token")?.estimate.value,
    );
  }
});

test("the unit made for hex is named so, without a control only as pending", async () => {
  const page = await (await openBundle(store, "bundles/x")).readPage(0);
  expect(page.best_context).toBe("hex");
  expect(page.name).toBe("hex");
  expect(page.claims.every((c) => c.verdict === "pending" && c.control === null)).toBe(true);
  expect(page.statement).toContain("control is pending");
  // It fires weakly elsewhere: the strongest interval is all hex, the weakest is not.
  expect(page.intervals).toHaveLength(11);
  expect(page.intervals[0]!.share!.value).toBe(1);
  expect(page.intervals[10]!.share!.value).toBeLessThan(0.5);
});

test("the unit that is a token is named by the token", async () => {
  const page = await (await openBundle(store, "bundles/x")).readPage(1);
  expect(page.name).toBe("“w3”");
  expect(page.characteristic.current[0]).toEqual({ piece: { text: " w3" }, share: 1 });
});

test("interval counts and the histogram are those of the activations", async () => {
  const columns = units(judged, 4);
  const page = await (await openBundle(store, "bundles/x")).readPage(3);
  const values = columns.value.subarray(columns.offsets[3]!, columns.offsets[4]!);
  const peak = Math.max(...values);
  const slow = new Array<number>(11).fill(0);
  for (const a of values) slow[Math.min(10, Math.floor((a / peak) * 11))]!++;
  expect(page.intervals.map((i) => i.n).reverse()).toEqual(slow);
  const bins = page.activation.histogram.counts;
  expect(bins.reduce((n, x) => n + x, 0)).toBe(values.length);
  expect(slow.map((_, i) => bins.slice(4 * i, 4 * i + 4).reduce((n, x) => n + x, 0))).toEqual(slow);
  expect(page.density.value).toBeCloseTo(values.length / columns.n_tokens, 4);
  expect(page.density.low!).toBeLessThan(page.density.value);
  const weight = page.claims.find((c) => c.metric === "weight")!;
  let inside = 0;
  let total = 0;
  for (let i = columns.offsets[3]!; i < columns.offsets[4]!; i++) {
    total += columns.value[i]!;
    if (judged.context[columns.token[i]!] === 1) inside += columns.value[i]!;
  }
  expect(weight.estimate.value).toBeCloseTo(inside / total, 4);
});

test("examples lie in their interval, with the true tokens and activations around the peak", async () => {
  const columns = units(judged, 4);
  const acts = new Map<number, number>();
  for (let i = columns.offsets[0]!; i < columns.offsets[1]!; i++)
    acts.set(columns.token[i]!, columns.value[i]!);
  const page = await (await openBundle(store, "bundles/x")).readPage(0);
  for (const interval of page.intervals) {
    for (const strip of interval.examples) {
      expect(strip.value).toBeGreaterThanOrEqual(interval.low - 1e-3);
      expect(strip.value).toBeLessThanOrEqual(interval.high + 1e-3);
      const d = Number(strip.document.slice(1));
      const first = judged.doc.indexOf(d);
      // Where in its document the strip lies: the only place with these tokens.
      const words = strip.pieces.map((p) => Number(p.text.slice(2)));
      const places = [...judged.tokens.keys()].filter(
        (t) =>
          t >= first && judged.doc[t] === d && words.every((w, i) => judged.tokens[t + i] === w),
      );
      const fits = places.some((t) =>
        strip.acts.every((a, i) => Math.abs(a - (acts.get(t + i) ?? 0)) < 1e-3),
      );
      expect(fits).toBe(true);
      strip.acts.forEach((a, i) => {
        if (acts.has(places[0]! + i) && places.length === 1) expect(a).toBeGreaterThan(0);
      });
    }
  }
  const tops = page.top.map((s) => s.value);
  expect(tops).toEqual([...tops].sort((a, b) => b - a));
  expect(tops[0]).toBeCloseTo(page.peak, 2);
});

test("logit weights are the decoder row through the unembedding, median taken off", async () => {
  const W_dec = normal(d_sae * d_in);
  const W_U = normal(d_in * 30);
  const logits = Array.from({ length: 30 }, (_, v) => {
    let sum = 0;
    for (let i = 0; i < d_in; i++) sum += W_dec[2 * d_in + i]! * W_U[i * 30 + v]!;
    return sum;
  });
  const sorted = [...logits].sort((a, b) => a - b);
  const median = (sorted[14]! + sorted[15]!) / 2;
  const page = await (await openBundle(store, "bundles/x")).readPage(2);
  const best = logits.indexOf(sorted[29]!);
  expect(page.logits.up[0]!.token).toBe(best);
  expect(page.logits.up[0]!.value).toBeCloseTo(sorted[29]! - median, 3);
  expect(page.logits.down[0]!.value).toBeCloseTo(sorted[0]! - median, 3);
  expect(page.logits.up).toHaveLength(10);
});

test("neighbours are the nearest decoder rows, with the correlation of their activations", async () => {
  const W = normal(d_sae * d_in);
  const row = (f: number) => W.subarray(f * d_in, (f + 1) * d_in);
  const cosine = (a: Float32Array, b: Float32Array) => {
    let dot = 0;
    a.forEach((x, i) => {
      dot += x * b[i]!;
    });
    return dot / (Math.hypot(...a) * Math.hypot(...b));
  };
  const slow = Array.from({ length: d_sae }, (_, f) => f)
    .filter((f) => f !== 0)
    .sort((a, b) => cosine(row(0), row(b)) - cosine(row(0), row(a)));
  const page = await (await openBundle(store, "bundles/x")).readPage(0);
  expect(page.nearest.map((n) => n.index)).toEqual(slow);
  expect(page.nearest[0]!.cosine).toBeCloseTo(cosine(row(0), row(slow[0]!)), 4);
  expect(page.nearest.find((n) => n.index === 6)!.r).toBeNull();
});

test("a dead feature says so, with the bound of its density", async () => {
  const page = await (await openBundle(store, "bundles/x")).readPage(6);
  expect(page.dead).toBe(true);
  expect(page.statement).toBe(
    "It never fired on 4,200 tokens: its density is below 0.071 % (95 %).",
  );
  expect(page.intervals).toEqual([]);
});

test("activations are Parquet sorted by feature, and another reader gets the same pairs", async () => {
  const bundle = await openBundle(store, "bundles/x");
  const bytes = await store.get(bundle.activations!);
  const rows = await parquetReadObjects({ file: bytes.slice().buffer as ArrayBuffer });
  const columns = units(judged, 4);
  expect(rows).toHaveLength(columns.value.length);
  let at = 0;
  for (let f = 0; f < d_sae; f++)
    for (let i = columns.offsets[f]!; i < columns.offsets[f + 1]!; i++, at++)
      expect(rows[at]).toEqual({ feature: f, token: columns.token[i], value: columns.value[i] });
});

test("a control fills every place, makes verdicts, and leaves the old revision alone", async () => {
  const other = { select: silent(select, 8), eval: silent(judged, 9) };
  const figures = await measureContexts(other, ground);
  const names = ground.contexts.map((c) => judged.contexts[c]!);
  const control = poolControls("permuted-weights", [figures], names, described.shapes);
  const before = await getText(store, "bundles/x/r1/manifest.json");
  const summary = await applyControl(store, "bundles/x", control);
  expect(summary).toMatchObject({ revision: 2, state: "controlled" });
  const bundle = await openBundle(store, "bundles/x");
  expect(bundle.activations).toBe("bundles/x/r1/activations.parquet");
  const page = await bundle.readPage(0);
  const claim = page.claims.find((c) => c.metric === "r_given_token")!;
  expect(claim.verdict).toBe("holds");
  expect(claim.control!.value).toBeLessThan(0.2);
  expect(page.revision).toBe(2);
  expect(page.intervals.at(-1)!.control).toEqual(control.contexts.hex!.bands[0]);
  // A random unit's best context is nothing: it must not hold.
  const noise = (await bundle.rows())[2]!;
  expect(noise.reading?.verdict ?? "fails").not.toBe("holds");
  expect(await getText(store, "bundles/x/r1/manifest.json")).toBe(before);
  expect((await openBundle(store, "bundles/x", { revision: 1 })).summary.state).toBe("described");
});

test("one short document and no context at all still make a bundle", async () => {
  const short = {
    ...makeLabels(5, { documents: 1, length: 30 }),
    contexts: ["prose", "code", "hex", "rare"],
  };
  const little = await layGround(short, short);
  expect(little.contexts).toEqual([]);
  const other = memoryStore();
  const { rows, summary } = await describeColumns(
    inputs({
      store: other,
      ground: little,
      path: null,
      state: "interim",
      storeActivations: false,
      record: async () => ({ columns: units(short, 3) }),
    }),
  );
  expect(summary).toMatchObject({ state: "interim", contexts: [], n_tokens: 30 });
  expect(rows.every((row) => row.reading === null && row.best_context === null)).toBe(true);
  const page = await (await openBundle(other, "bundles/x")).readPage(2);
  expect(page.logits.up).toEqual([]);
  expect(page.statement).toContain("No context goes with it");
});

test("describing twice gives the same bytes", async () => {
  const again = memoryStore();
  await describeColumns(inputs({ store: again }));
  for (const key of await again.list("bundles/x/r1/"))
    expect(
      Buffer.compare(Buffer.from(await again.get(key)), Buffer.from(await store.get(key))),
    ).toBe(0);
});

const damages: [string, string, (store: Store, folder: string) => Promise<void>][] = [
  [
    "pages cut short",
    "bundle/truncated",
    async (s, f) => {
      const bytes = await s.get(`${f}/pages.bin`);
      await s.put(`${f}/pages.bin`, bytes.slice(0, bytes.length - 1));
    },
  ],
  ["no rows", "bundle/truncated", (s, f) => s.delete(`${f}/rows.json.gz`)],
  [
    "offsets that run away",
    "bundle/damaged",
    async (s, f) => {
      const offsets = new Float64Array((await s.get(`${f}/pages.idx`)).slice().buffer);
      offsets[1] = 1e15;
      await s.put(`${f}/pages.idx`, new Uint8Array(offsets.buffer));
    },
  ],
  [
    "a manifest that is no JSON",
    "bundle/damaged",
    (s, f) => s.put(`${f}/manifest.json`, new TextEncoder().encode("{")),
  ],
  [
    "a manifest with a huge d_sae",
    "bundle/damaged",
    async (s, f) => {
      const manifest = JSON.parse(await getText(s, `${f}/manifest.json`));
      manifest.parameters.d_sae = 2 ** 50;
      await putJson(s, `${f}/manifest.json`, manifest);
    },
  ],
  [
    "a newer format",
    "bundle/format",
    async (s, f) => {
      const manifest = JSON.parse(await getText(s, `${f}/manifest.json`));
      await putJson(s, `${f}/manifest.json`, { ...manifest, format: 99 });
    },
  ],
  [
    "rows of another shape",
    "bundle/damaged",
    async (s, f) => {
      const bytes = gzipSync("[1, 2]");
      const manifest = JSON.parse(await getText(s, `${f}/manifest.json`));
      manifest.files["rows.json.gz"] = bytes.length;
      await putJson(s, `${f}/manifest.json`, manifest);
      await s.put(`${f}/rows.json.gz`, bytes);
    },
  ],
];

for (const [what, code, damage] of damages)
  test(`refuses ${what} with ${code}`, async () => {
    const other = memoryStore();
    await describeColumns(inputs({ store: other }));
    await damage(other, "bundles/x/r1");
    const opened = openBundle(other, "bundles/x").then((bundle) => bundle.rows());
    await expect(opened).rejects.toMatchObject({ code });
  });

test("an unknown feature and a missing bundle are refused", async () => {
  const bundle = await openBundle(store, "bundles/x");
  await expect(bundle.page(d_sae)).rejects.toMatchObject({ code: "feature/unknown" });
  await expect(bundle.page(-1)).rejects.toMatchObject({ code: "feature/unknown" });
  await expect(openBundle(store, "bundles/y")).rejects.toMatchObject({ code: "storage/missing" });
});
