// Do recorded values put back give the same bits, is nothing left of an intervention, and is a program made once?
import { describe, expect, test } from "vitest";
import type { Program } from "../graph/index.ts";
import { sitesOf } from "../models/index.ts";
import { type Backend, ortBackend } from "../runtime/index.ts";
import { runWithCache } from "./capture.ts";
import {
  ablate,
  clamp,
  edit,
  freeze,
  type Intervention,
  patch,
  replaceWith,
  scale,
  steer,
} from "./interventions.ts";
import { normals, sameBits, tinyModel, tinyTokens } from "./tiny.fixture.ts";

const ort = ortBackend({ threads: 1 });
const model = tinyModel();
const tokens = tinyTokens(3, 6);
const all = sitesOf(model.config);

describe("replay", () => {
  test("with every recorded value put back, every bit is as it was", async () => {
    const before = await runWithCache(model, ort, tokens, { sites: all, logits: true });
    const after = await runWithCache(model, ort, tokens, {
      sites: all,
      logits: true,
      interventions: [patch("**", { feed: "before" })],
      feeds: { before: before.cache },
    });
    expect(sameBits(after.logits!, before.logits!)).toBe(true);
    for (const site of all)
      expect(sameBits(after.cache[site]!, before.cache[site]!), site).toBe(true);
  });

  test("so it is with the values of one site, but where the heads are summed one by one", async () => {
    const before = await runWithCache(model, ort, tokens, { sites: all, logits: true });
    for (const site of all) {
      const { logits } = await runWithCache(model, ort, tokens, {
        sites: all,
        logits: true,
        interventions: [replaceWith(site, before.cache[site]!)],
      });
      if (site.endsWith("hook_result")) {
        const far = logits!.data.map((x, i) => Math.abs(x - before.logits!.data[i]!));
        expect(Math.max(...far)).toBeLessThan(1e-5);
      } else expect(sameBits(logits!, before.logits!), site).toBe(true);
    }
  });

  test("after an intervention the model is what it was, to the bit", async () => {
    const clean = await runWithCache(model, ort, tokens, { sites: all, logits: true });
    for (const by of [
      ablate("blocks.*.hook_mlp_out"),
      steer("resid_post", normals([6], 2), 3),
      freeze(["patterns", "norms"], clean.cache),
    ]) {
      await runWithCache(model, ort, tokens, { interventions: [by] });
      const again = await runWithCache(model, ort, tokens, { sites: all, logits: true });
      expect(sameBits(again.logits!, clean.logits!)).toBe(true);
      for (const site of all) expect(sameBits(again.cache[site]!, clean.cache[site]!)).toBe(true);
    }
  });

  test("rows that are not meant keep every bit, in one run or row by row", async () => {
    const clean = await runWithCache(model, ort, tokens, { sites: all, logits: true });
    const other = await runWithCache(model, ort, tinyTokens(3, 6, 5), { sites: all });
    for (const outputLimit of [2 ** 26, 1]) {
      const { logits } = await runWithCache(model, ort, tokens, {
        sites: all,
        logits: true,
        outputLimit,
        interventions: [
          patch({ sites: "resid_mid", layers: [0], rows: [1] }, other.cache),
          steer({ sites: "z", rows: [1], heads: [-1] }, normals([3], 4), 2),
        ],
      });
      const width = 6 * model.config.d_vocab;
      for (const row of [0, 1, 2]) {
        const part = (from: typeof logits) =>
          Buffer.from(from!.data.slice(row * width, (row + 1) * width).buffer);
        // Alone, a row may be multiplied by another kernel.
        if (outputLimit > 1 || row === 1)
          expect(part(logits).equals(part(clean.logits))).toBe(row !== 1);
      }
    }
  });
});

/** Passes everything on, and keeps every program it was asked to compile. */
function counting(inner: Backend) {
  const programs = new Set<Program>();
  let elsewhere = 0;
  const outside = async <T>(work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    elsewhere += performance.now() - start;
    return result;
  };
  const backend: Backend = {
    ...inner,
    async compile(program, options) {
      programs.add(program);
      const run = await outside(() => inner.compile(program, options));
      return { ...run, run: (feeds, into) => outside(() => run.run(feeds, into)) };
    },
  };
  return { backend, programs, elsewhere: () => elsewhere };
}

describe("a new number", () => {
  const list = (i: number): Intervention[] => [
    steer({ sites: "blocks.*.hook_resid_post", positions: [i % 6] }, normals([6], i), i),
    scale({ sites: "blocks.0.mlp.hook_post", units: [i % 8] }, i / 3),
    clamp({ sites: "blocks.1.hook_resid_pre", rows: [i % 3] }, i, {
      direction: normals([6], 50 + i),
    }),
    patch({ sites: "blocks.0.attn.hook_z", heads: [i % 2] }, normals([3, 6, 2, 3], 90 + i)),
    ablate({ sites: "mlp_out", layers: [1], positions: [{ from: i % 5 }] }),
  ];

  test("needs no other program", async () => {
    const { backend, programs } = counting(ort);
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const { logits } = await runWithCache(model, backend, tokens, { interventions: list(i) });
      seen.add(Buffer.from(logits!.data.buffer).toString("hex"));
    }
    expect(seen.size).toBe(12);
    expect(programs.size).toBe(1);
    // Another kind, another site and a mask where none was are other graphs.
    await runWithCache(model, backend, tokens, { interventions: list(1).slice(1) });
    await runWithCache(model, backend, tokens, { interventions: [ablate("embed")] });
    await runWithCache(model, backend, tokens, {
      interventions: [ablate({ sites: "embed", positions: [0] })],
    });
    expect(programs.size).toBe(4);
  });

  test("costs less than a millisecond of our own time, on 12 layers with heads and positions", async () => {
    const deep = tinyModel(3, { n_layers: 12, n_heads: 12, d_head: 2, d_model: 24, n_ctx: 32 });
    const ids = tinyTokens(1, 32);
    const { backend, elsewhere } = counting(ort);
    const own: number[] = [];
    for (let i = 0; i < 60; i++) {
      const before = elsewhere();
      const by = [
        steer({ sites: "resid_post", positions: [i % 32, -1] }, normals([24], i), i),
        ablate({ sites: "z", layers: [3], heads: [i % 12] }),
      ];
      const start = performance.now();
      await runWithCache(deep, backend, ids, { interventions: by });
      own.push(performance.now() - start - (elsewhere() - before));
    }
    own.sort((a, b) => a - b);
    // The quickest quarter: other processes may hold the core.
    expect(own[15]).toBeLessThan(1);
  });

  test("an edit is lowered each time, and is still an edit", async () => {
    const { backend, programs } = counting(ort);
    const by = [edit({ sites: "blocks.0.hook_mlp_out", positions: [2] }, (x) => x)];
    for (let i = 0; i < 3; i++) await runWithCache(model, backend, tokens, { interventions: by });
    expect(programs.size).toBe(3);
  });
});
