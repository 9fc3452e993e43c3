// Do the readings agree with each other and with the long way round, on models with all the options?
import { expect, test } from "vitest";
import { tinyModel } from "../hooks/tiny.fixture.ts";
import { readWeight } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { directAttribution } from "./attribution.ts";
import { compositionScores } from "./composition.ts";
import { readHeads, readUnembedding } from "./head-weights.ts";
import { dot, type Matrix, matrix, times, transposed } from "./matrix.ts";
import { pathPatching } from "./path-patching.ts";
import { clean, other, readings, right, wrong } from "./reading.fixture.ts";

const ort = ortBackend({ threads: 1 });

test("without norms a head's path to the logits is the change of its direct attribution", async () => {
  const { model } = readings[1]!;
  const pairs = { clean, corrupted: other, right, wrong };
  const paths = await pathPatching(model, ort, pairs, { direction: "noising", to: "logits" });
  const here = await directAttribution(model, ort, clean, pairs);
  const there = await directAttribution(model, ort, other, pairs);
  const heads = (of: typeof here) => of.parts.filter(({ part }) => part.kind === "head");
  for (const [i, { differences }] of paths.entries())
    for (const row of [0, 1]) {
      const change = heads(there)[i]!.logits[row]! - heads(here)[i]!.logits[row]!;
      expect(differences[row]! - here.difference[row]!).toBeCloseTo(change, 4);
    }
});

const size = ({ data }: Matrix): number => Math.sqrt(dot(data, data));

test("composition is the norm of the whole product, with shared keys and RMS norms folded in", async () => {
  const model = tinyModel(4, {
    n_heads: 2,
    n_key_value_heads: 1,
    normalization: "RMS",
    norm_offset: 1,
    n_layers: 3,
  });
  const found = await compositionScores(model, ort, { draws: 4 });
  expect(found).toHaveLength(3 * 3 * 2 * 2);
  for (const { kind, from, to, score } of found) {
    const [a, b] = [await readHeads(model, from.layer), await readHeads(model, to.layer)];
    const OV = times(a.V[from.head]!, a.O[from.head]!);
    const QK = times(b.Q[to.head]!, transposed(b.K[to.head]!));
    const M =
      kind === "Q" ? QK : kind === "K" ? transposed(QK) : times(b.V[to.head]!, b.O[to.head]!);
    expect(score.value).toBeCloseTo(size(times(OV, M)) / (size(OV) * size(M)), 5);
    expect(score.controls[0]!.draws).toBe(4);
  }
});

test("normal matrices compose by chance as much as a theorem says", async () => {
  // E‖AB‖² = ‖A‖²‖B‖² / d for B isotropic: the score is about 1/√d_model.
  const model = tinyModel(4, { d_model: 64, d_head: 4, n_layers: 2 });
  const found = await compositionScores(model, ort, { draws: 64 });
  for (const { score } of found) expect(score.controls[0]!.value).toBeCloseTo(1 / 8, 2);
});

test("a folded weight reads a normalised vector as the norm and the weight do", async () => {
  const model = tinyModel(7, { normalization: "LN" });
  const [W_Q, w] = [
    await readWeight(model, "blocks.1.attn.W_Q"),
    await readWeight(model, "blocks.1.ln1.w"),
  ];
  const { Q } = await readHeads(model, 1);
  const raw = await readHeads(model, 1, { fold: false });
  expect([...raw.Q[1]!.data]).toEqual([...W_Q.data.subarray(18)]);
  const x = [0.3, -1, 2, 0.1, 0.7, -0.4];
  const mean = x.reduce((sum, y) => sum + y, 0) / 6;
  const normed = matrix(
    1,
    6,
    x.map((y, i) => (y - mean) * w.data[i]!),
  );
  const wanted = times(normed, raw.Q[1]!);
  const got = times(matrix(1, 6, x), Q[1]!);
  for (let i = 0; i < 3; i++) expect(got.data[i]).toBeCloseTo(wanted.data[i]!, 5);
  const plain = tinyModel(7, { normalization: "none" });
  expect(await readUnembedding(plain)).toBe(await readWeight(plain, "unembed.W_U"));
});
