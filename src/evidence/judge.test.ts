// Correlations, document sums and choices against slow dense formulas and known worlds.
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { bootstrapInterval } from "./bootstrap.ts";
import { columnMoments, correlations, denseMoments, tokenMeans } from "./correlate.ts";
import { chooseUnits, columnOf, judgeUnit, layGround, measureContexts } from "./judge.ts";
import { fitTokens, type LabelledTokens, labelSums, tokenTableCorrelation } from "./labels.ts";
import { denseOf, honestUnits, makeColumns, makeLabels } from "./world.fixture.ts";

function slowPearson(x: number[], y: number[]): number {
  const mx = x.reduce((s, v) => s + v, 0) / x.length;
  const my = y.reduce((s, v) => s + v, 0) / y.length;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  x.forEach((v, i) => {
    xy += (v - mx) * (y[i]! - my);
    xx += (v - mx) ** 2;
    yy += (y[i]! - my) ** 2;
  });
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

/** The documented formula, written down as it is read. */
function slowGivenToken(
  select: { labels: LabelledTokens; acts: Float64Array },
  on: { labels: LabelledTokens; acts: Float64Array },
  c: number,
): number {
  const a = new Map<number, number[]>();
  const y = new Map<number, number[]>();
  select.labels.tokens.forEach((v, t) => {
    a.set(v, [...(a.get(v) ?? []), select.acts[t]!]);
    y.set(v, [...(y.get(v) ?? []), select.labels.context[t] === c ? 1 : 0]);
  });
  const mean = (x: number[]): number => x.reduce((s, v) => s + v, 0) / x.length;
  const xs: number[] = [];
  const ys: number[] = [];
  on.labels.tokens.forEach((v, t) => {
    if ((a.get(v)?.length ?? 0) < 20) return;
    xs.push(on.acts[t]! - mean(a.get(v)!));
    ys.push((on.labels.context[t] === c ? 1 : 0) - mean(y.get(v)!));
  });
  return slowPearson(xs, ys);
}

const select = makeLabels(1, { documents: 40, length: 60, d_vocab: 80 });
const judged = makeLabels(2, { documents: 44, length: 50, d_vocab: 82 });
const columns = {
  select: makeColumns(select, 6, honestUnits(select), 3),
  eval: makeColumns(judged, 6, honestUnits(judged), 4),
};
const dense = { select: denseOf(columns.select), eval: denseOf(columns.eval) };

test("both correlations equal the dense formulas, on select and on eval", () => {
  const fit = fitTokens(select);
  expect(fit.fitted.some((f) => f === 0)).toBe(true);
  const moments = columnMoments(columns.select, select, fit);
  const means = tokenMeans(moments, fit);
  const onSelect = correlations(moments, labelSums(select, fit), fit, means);
  const onEval = correlations(
    columnMoments(columns.eval, judged, fit),
    labelSums(judged, fit),
    fit,
    means,
  );
  for (let u = 0; u < 6; u++)
    for (let c = 0; c < 4; c++) {
      const there = { labels: select, acts: dense.select[u]! };
      const here = { labels: judged, acts: dense.eval[u]! };
      const y = Array.from(judged.context, (x) => (x === c ? 1 : 0));
      expect(onEval.r[u * 4 + c]).toBeCloseTo(slowPearson([...here.acts], y), 5);
      expect(onEval.r_given_token[u * 4 + c]).toBeCloseTo(slowGivenToken(there, here, c), 5);
      expect(onSelect.r_given_token[u * 4 + c]).toBeCloseTo(slowGivenToken(there, there, c), 5);
    }
});

test("dense batches and sparse columns give the same moments", () => {
  const fit = fitTokens(select);
  const sparse = columnMoments(columns.select, select, fit);
  const adder = denseMoments(6, select, fit);
  const batch = new Float32Array(7 * 6);
  for (let from = 0; from < select.tokens.length; from += 7) {
    const n = Math.min(7, select.tokens.length - from);
    for (let i = 0; i < n; i++)
      for (let u = 0; u < 6; u++) batch[i * 6 + u] = dense.select[u]![from + i]!;
    adder.add(batch.subarray(0, n * 6), from);
  }
  const made = adder.done();
  expect([...made.byToken.token]).toEqual([...sparse.byToken.token]);
  for (const key of ["byContext", "byContextFitted", "square"] as const)
    made[key].forEach((x, i) => {
      expect(x).toBeCloseTo(sparse[key][i]!, 3);
    });
  made.byToken.sum.forEach((x, i) => {
    expect(x).toBeCloseTo(sparse.byToken.sum[i]!, 3);
  });
});

test("a figure's value and interval are those of the dense per-document sums", async () => {
  const ground = await layGround(select, judged, { rng: random(9) });
  const chosen = chooseUnits(columnMoments(columns.select, select, ground.fit), ground);
  const unit = 3;
  const [figures] = await judgeUnit(
    columnOf(columns.eval, unit),
    unit,
    [{ context: 1, threshold: 1.5 }],
    chosen.means,
    ground,
  );
  const here = { labels: judged, acts: dense.eval[unit]! };
  const there = { labels: select, acts: dense.select[unit]! };
  expect(figures!.r_given_token.value).toBeCloseTo(slowGivenToken(there, here, 1), 5);
  // Precision by hand, and its interval from the plain bootstrap of the same draws.
  const hits = new Float64Array(judged.documents.length);
  const calls = new Float64Array(judged.documents.length);
  here.acts.forEach((a, t) => {
    if (a < 1.5) return;
    calls[judged.doc[t]!]!++;
    if (judged.context[t] === 1) hits[judged.doc[t]!]!++;
  });
  const slow = bootstrapInterval([hits, calls], ([h, n]) => h! / n!, ground.resamples);
  expect(figures!.precision.value).toBeCloseTo(slow.value, 6);
  expect(figures!.precision.low).toBeCloseTo(slow.low!, 5);
  expect(figures!.precision.high).toBeCloseTo(slow.high!, 5);
  expect(figures!.r_given_token.low!).toBeLessThan(figures!.r_given_token.value);
  expect(figures!.r_given_token.high!).toBeGreaterThan(figures!.r_given_token.value);
});

test("the unit that is made for a context is chosen for it", async () => {
  const ground = await layGround(select, judged, { rng: random(9) });
  const figures = await measureContexts(columns, ground);
  const of = new Map(figures.map((f) => [f.context, f]));
  expect(of.get("hex")!.unit).toBe(0);
  expect(of.get("code")!.unit).toBe(3);
  expect(of.get("hex")!.r_given_token.low).toBeGreaterThan(0.6);
  expect(of.get("hex")!.n_tried).toBe(6);
  const total = of.get("hex")!.bands.reduce((n, band) => n + band.n, 0);
  expect(total).toBe(columns.eval.offsets[1]! - columns.eval.offsets[0]!);
  expect(of.get("hex")!.quantile_bands.reduce((n, band) => n + band.n, 0)).toBe(total);
});

test("where labels are shuffled over documents, no unit clears a quarter", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const shuffled = (labels: LabelledTokens, s: number): LabelledTokens => {
      const of = Array.from(
        { length: labels.documents.length },
        (_, d) => labels.context[labels.doc.indexOf(d)]!,
      );
      random(s).shuffle(of);
      return { ...labels, context: labels.context.map((_, t) => of[labels.doc[t]!]!) };
    };
    const ground = await layGround(shuffled(select, seed), shuffled(judged, seed + 100));
    for (const figure of await measureContexts(columns, ground)) {
      expect(Math.abs(figure.r_given_token.value)).toBeLessThan(0.35);
      expect(figure.r_given_token.low!).toBeLessThan(0.25);
    }
  }
});

test("a unit that is a function of the token has no correlation given the token", async () => {
  const ground = await layGround(select, judged);
  const chosen = chooseUnits(columnMoments(columns.select, select, ground.fit), ground);
  const token = makeColumns(judged, 1, (t) => (judged.tokens[t] === 3 ? 1 : 0));
  const there = makeColumns(select, 1, (t) => (select.tokens[t] === 3 ? 1 : 0));
  const only = chooseUnits(columnMoments(there, select, ground.fit), ground);
  const [figures] = await judgeUnit(
    columnOf(token, 0),
    0,
    [{ context: 2, threshold: 0 }],
    only.means,
    ground,
  );
  expect(figures!.r_given_token.value).toBe(0);
  expect(chosen.n_tried).toBe(6);
});

test("the token table correlates as the dense prediction does", () => {
  const fit = fitTokens(select, { min: 1 });
  const table = tokenTableCorrelation(judged, fit);
  const base = select.context.reduce((n, c) => n + (c === 2 ? 1 : 0), 0) / select.context.length;
  const p = Array.from(judged.tokens, (v) => {
    let n = 0;
    let y = 0;
    select.tokens.forEach((w, t) => {
      if (w !== v) return;
      n++;
      if (select.context[t] === 2) y++;
    });
    return n === 0 ? base : y / n;
  });
  const y = Array.from(judged.context, (c) => (c === 2 ? 1 : 0));
  expect(table[2]).toBeCloseTo(slowPearson(p, y), 6);
});
