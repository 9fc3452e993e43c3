// Do readings look right: aligned, within the page, with signs where there are no colours?
import { expect, test } from "vitest";
import { hundredths, short, signed } from "./format.ts";
import { plain, screenOf } from "./ink.ts";
import { aligned, clipped, columnsOf, heatMap } from "./picture.ts";
import { attending, attentionReading } from "./read-attention.ts";
import { attributionReading } from "./read-attribution.ts";
import { circuitsReading } from "./read-circuits.ts";
import { compositionReading } from "./read-composition.ts";
import { encoderLines } from "./read-encoder.ts";
import { headsReading } from "./read-heads.ts";
import { lensReading } from "./read-lens.ts";
import { patchReading } from "./read-patch.ts";
import { isClear, thinned } from "./read-session.ts";
import { stripReading } from "./read-strip.ts";

const page = { width: 100, ink: plain };
const drawn = (value: number, low: number, high: number, draws = 4) => ({
  kind: "drawn",
  value,
  low,
  high,
  draws,
});
const figure = (value: number, low = -0.1, high = 0.1) => ({
  value,
  controls: [drawn((low + high) / 2, low, high)],
});
const tokens = [" a", " cat", " sat"].map((text, id) => ({ id, text }));

test("cells are shades with a minus, or grounds in 16 steps where a terminal has colours", () => {
  expect([0, 0.2, 0.5, 1, -0.5, Number.NaN].map((x) => plain.cell(x))).toEqual([
    "  ",
    "░░",
    "▒▒",
    "██",
    "-▒",
    "  ",
  ]);
  const { ink, width } = screenOf({ isTTY: true, columns: 240 }, { COLORTERM: "truecolor" });
  expect(width).toBe(100);
  expect(ink.cell(1)).toBe("\u001b[48;2;251;209;123;30m  \u001b[49;39m");
  expect(ink.cell(-0.01)).toBe("\u001b[48;2;14;23;33;39m  \u001b[49;39m");
  expect(ink.cell(0)).toBe("  ");
  expect(columnsOf(ink.wash("·東", 0.5))).toBe(3);
  const light = screenOf({ isTTY: true }, { COLORTERM: "24bit", COLORFGBG: "0;15" });
  expect(light.ink.wash("a", 1)).toBe("\u001b[48;2;205;88;17;97ma\u001b[49;39m");
  expect(screenOf({ isTTY: true }, {}).ink.wash("a", 1)).toBe("\u001b[48;5;222;30ma\u001b[49;39m");
});

test("without a terminal, or where NO_COLOR or a dumb one says so, nothing is coloured", () => {
  for (const [isTTY, env] of [
    [false, {}],
    [undefined, { COLORTERM: "truecolor" }],
    [true, { NO_COLOR: "1" }],
    [true, { TERM: "dumb" }],
  ] as const)
    expect(screenOf({ isTTY, columns: 60 }, env)).toEqual({ width: 60, ink: plain });
});

test("numbers, labels and columns keep to their widths", () => {
  expect([0, 0.004, -0.004, 0.41, -0.5, 1, 12.34, Number.NaN].map(short)).toEqual([
    "0",
    "<.005",
    ">-.005",
    ".41",
    "-.50",
    "1",
    "12.3",
    "–",
  ]);
  expect([0.999, -0.001, -1.5, Number.NaN].map(hundredths)).toEqual(["1.00", ".00", "-1.50", "–"]);
  expect([0.2, -0.2, 0].map(signed)).toEqual(["+.20", "-.20", "0"]);
  expect([clipped("東京都", 5), clipped("abc", 3), clipped("abcd", 3)]).toEqual([
    "東京…",
    "abc",
    "ab…",
  ]);
  expect(aligned([["a", "1"], ["bcd", "10"], ["e"]])).toEqual(["a     1", "bcd  10", "e"]);
  expect(thinned([0, 1, 2, 3, 4, 5, 6], 3)).toEqual([0, 3, 6]);
  expect(isClear(figure(0.2))).toBe(true);
  expect(isClear(figure(-0.2))).toBe(false);
  expect(isClear(figure(-0.2), { signed: true })).toBe(true);
  // Nearer to zero than its control on the same side is nothing.
  expect(isClear(figure(0.1, 0.2, 0.4), { signed: true })).toBe(false);
  expect(heatMap([[0.5, 1]], { causal: false, top: 1 })).toEqual(["▒▒"]);
});

test("the lens: tokens down, depth across, KL beside the constant below", () => {
  const at = (text: string, p: number, next: number | null) => ({
    top: [{ id: 0, text, p }],
    p_next: next,
    rank_next: next === null ? null : Math.round(10 - 10 * next),
    kl: 0,
  });
  const layer = (after: number, kl: number) => ({
    site: "x",
    after,
    kl: { value: kl, controls: [{ ...drawn(2, 2, 2), low: null, high: null }] },
    positions: [at(" dog", 0.25, 0.5), at("\n", 0.004, 1), at(" extraordinary", 1, null)],
  });
  const report = { tokens, d_vocab: 11, layers: [layer(-1, 3.5), layer(0, 0)] };
  expect(lensReading.lines(report, page).slice(3)).toEqual([
    "after               embed        layer 0",
    "·a               ·dog .25       ·dog .25",
    "·cat              ⏎ <.005        ⏎ <.005",
    "·sat        ·extraor…   1  ·extraor…   1",
    "KL                   3.50              0",
    "  constant              2              2",
    "",
    "rank of the token that came; by chance 5",
    "after        embed  layer 0",
    "·a → ·cat        5        5",
    "·cat → ·sat      0        0",
  ]);
  const deep = { ...report, layers: Array.from({ length: 25 }, (_, i) => layer(i - 1, 1)) };
  const lines = lensReading.lines(deep, page);
  expect(lines).toContain("(5 of 25 layers: --layers picks; --json has all)");
  expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(100);
  const long = Array.from({ length: 60 }, (_, id) => ({ id, text: `t${id}` }));
  const positions = long.map(() => at("x", 0.5, 0.5));
  const said = lensReading.lines(
    { ...report, tokens: long, layers: [{ ...layer(0, 1), positions }] },
    page,
  );
  expect(said).toContain("(the last 40 of 60 tokens; --json has all)");
});

test("attention: one head with its tokens above, many side by side, long prompts in cells", () => {
  const one = attending(
    { layer: 0, head: 3 },
    [
      [1, 0, 0],
      [0.5, 0.5, 0],
      [0, 0, 1],
    ],
    true,
  );
  const report = { tokens, causal: true, heads: [one] };
  expect(attentionReading.lines(report, page).slice(3)).toEqual([
    "0.3 .23/.60",
    "       · ·",
    "       c s",
    "     · a a",
    "     a t t",
    "·a   ██",
    "·cat ▒▒▒▒",
    "·sat     ██",
  ]);
  const two = { ...report, heads: [one, { ...one, head: 4 }] };
  expect(attentionReading.lines(two, page).slice(3)).toEqual([
    "     0.3 .23/.60  0.4 .23/.60",
    "·a   ██           ██",
    "·cat ▒▒▒▒         ▒▒▒▒",
    "·sat     ██           ██",
  ]);
  const n = 100;
  const long = Array.from({ length: n }, (_, id) => ({ id, text: "t" }));
  const identity = long.map((_, q) => long.map((_, k) => Number(q === k)));
  const heads = [0, 1, 2].map((head) => attending({ layer: 0, head }, identity, true));
  const lines = attentionReading.lines({ tokens: long, causal: true, heads }, page);
  expect(lines).toContain("(3 tokens a cell, by their largest; --json has all)");
  expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(100);
});

test("an image's attention is drawn as its patches lie", () => {
  const row = [0.1, 0.4, 0.1, 0.2, 0.2];
  const head = attending({ layer: 0, head: 0 }, [row, row, row, row, row], false);
  const image = Array.from({ length: 5 }, (_, id) => ({ id, text: "" }));
  const report = { tokens: image, causal: false, grid: [2, 2], heads: [head] };
  expect(attentionReading.lines(report, page).slice(3)).toEqual([
    "0.0 1.47/1.61",
    "██░░",
    "▒▒▒▒",
    "to .40; self .10",
    "",
  ]);
});

test("head scores: a filled mark above all controls, uniform attention in a row of its own", () => {
  const of = (value: number) => ({
    value,
    controls: [
      { kind: "uniform-attention", value: 0.05, low: null, high: null, draws: 0 },
      { ...drawn(0.02, 0.01, 0.03), kind: "permuted-weights" },
    ],
  });
  const scores = { previous: of(0.9), current: of(0.04), first: of(0), duplicate: of(0.2) };
  const copying = { value: -0.5, controls: [drawn(-0.1, -0.2, 0.2)] };
  const heads = [{ layer: 1, head: 2, ...scores, induction: of(0.051), copying }];
  expect(headsReading.lines({ rows: 8, length: 50, bos: null, heads }, page).slice(3)).toEqual([
    "head        previous        current          first      duplicate      induction        copying",
    "1.2      ●  .90 (.02)   ○  .04 (.02)   ○  .00 (.02)   ●  .20 (.02)   ●  .05 (.02)   ○ -.50 (-.10)",
    "uniform     .05            .05            .05            .05            .05              –",
  ]);
});

test("attribution: shares with their band, and bars to either side", () => {
  const [right, wrong] = [tokens[1]!, tokens[2]!];
  const report = {
    tokens,
    right,
    wrong,
    difference: 1.25,
    components: [
      { part: "embed", logits: figure(0.05) },
      { part: "0 attn", logits: figure(2) },
      { part: "0 mlp", logits: figure(-1) },
    ],
    heads: [{ part: "0.1", logits: figure(1) }],
    neurons: [],
  };
  expect(attributionReading.lines(report, page)).toEqual([
    "direct logit attribution   logit(·cat) − logit(·sat) after ·sat is +1.25",
    "each part's share, in logits, beside its share in 16 differences of random tokens",
    "● further from zero than 95 % of those, as one part in twenty is by chance   ○ not",
    "",
    "components  share  random tokens",
    "○ embed      +.05   -.10 to +.10                │",
    "● 0 attn       +2   -.10 to +.10                │██████████████",
    "● 0 mlp        -1   -.10 to +.10         ███████│",
    "",
    "heads       share  random tokens",
    "● 0.1          +1   -.10 to +.10                │███████",
  ]);
});

test("patching: the map beside that of unrelated prompts, then what is strongest", () => {
  const cell = (layer: number, position: number, value: number) => ({
    layer,
    position,
    effect: figure(value, -0.2, 0),
  });
  const report = {
    clean: tokens,
    corrupted: [tokens[0]!, { id: 7, text: " dog" }, tokens[2]!],
    right: tokens[1]!,
    wrong: tokens[2]!,
    differences: { clean: 2, corrupted: -1 },
    sweeps: [
      {
        site: "resid_pre",
        direction: "noising" as const,
        cells: [0, 1].flatMap((l) => [cell(l, 0, 0), cell(l, 1, 1 - l), cell(l, 2, -0.1 * l)]),
      },
    ],
  };
  expect(patchReading.lines(report, page)).toEqual([
    "activation patching   logit(·cat) − logit(·sat): clean +2, corrupted -1",
    "noising: the clean prompt runs, one value is the corrupted prompt's; denoising: the other way",
    "an effect of 1 goes all of the way; unrelated: the value comes from the prompt's tokens, shuffled",
    "● further from zero than the unrelated   ○ not",
    "",
    "resid_pre, noising",
    "           effect      unrelated",
    "layer         0    1      0    1",
    "·a          .00  .00   -.10 -.10",
    "·cat/·dog  1.00  .00   -.10 -.10",
    "·sat        .00 -.10   -.10 -.10",
    "strongest            effect    unrelated",
    "● layer 0 ·cat/·dog    1.00  -.20 to .00",
    "○ layer 1 ·sat         -.10  -.20 to .00",
  ]);
  const wide = Array.from({ length: 40 }, (_, layer) => cell(layer, 0, layer / 40));
  const lines = patchReading.lines(
    { ...report, sweeps: [{ ...report.sweeps[0]!, cells: wide }] },
    page,
  );
  expect(lines).toContain("resid_pre, noising   (22 of 40 layers; --json has all)");
  expect(lines).toContain(`       effect${" ".repeat(40)}unrelated`);
  expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(100);
});

test("circuits and strips: figures beside what chance gives", () => {
  const circuit = {
    layer: 0,
    head: 1,
    circuit: "QK" as const,
    largest: figure(12, 3, 4),
    own: figure(0.004, 0, 0.01),
    top: [{ from: tokens[0]!, to: tokens[1]!, value: 12 }],
  };
  expect(circuitsReading.lines({ circuits: [circuit] }, page).slice(2)).toEqual([
    "0.1 QK",
    "·a looks for ·cat 12",
    "",
    "                        shuffled",
    "● largest           12      3.50",
    "○ itself in ten  <.005       .01",
    "",
  ]);
  const strips = [
    {
      of: "mlp_post:12",
      values: [0, 1, 2],
      statistic: "peak" as const,
      figure: { value: 2, controls: [{ ...drawn(0.5, 0, 1, 16), kind: "random-units" }] },
    },
  ];
  expect(stripReading.lines({ tokens, strips }, page)).toEqual([
    "● mlp_post:12   peak 2; 16 other units: 0 to 1",
    "  ·a ·cat ·sat",
    "  ▁▁ ▅▅▅▅ ████",
  ]);
});

test("composition: each kind with its strongest pairs", () => {
  const pair = (kind: "Q" | "K" | "V", value: number) => ({
    kind,
    from: { layer: 0, head: 4 },
    to: { layer: 1, head: 11 },
    score: figure(value, 0.01, 0.03),
  });
  const pairs = [pair("K", 0.4), pair("K", 0.02), pair("V", 0.01)];
  expect(compositionReading.lines({ pairs }, page).slice(2)).toEqual([
    "Q, 0 of 0                K, 2 of 2                            V, 1 of 1",
    "  score  random weights                score  random weights                score  random weights",
    "                         ● 0.4 → 1.11    .40      .01 to .03  ○ 0.4 → 1.11    .01      .01 to .03",
    "                         ○ 0.4 → 1.11    .02      .01 to .03",
  ]);
  expect(compositionReading.lines({ pairs: [] }, page)[1]).toBe(
    "there are no heads in a later layer",
  );
});

test("an encoder: outputs and classes beside those of its parts shuffled", () => {
  const outputs = [
    {
      output: "embedding",
      shape: [1, 10],
      length: 7.75,
      shuffled: { value: 0.9, low: 0.8, high: 0.95, draws: 8 },
    },
  ];
  const classes = [{ class: 3, p: figure(0.6, 0.1, 0.3) }];
  const report = { model: "m", reads: "text" as const, tokens, outputs, classes, sites: {} };
  expect(encoderLines(report)).toEqual([
    "m: 3 tokens",
    "·a ·cat ·sat",
    "",
    "output      shape  length  cosine with the same tokens shuffled",
    "embedding  1 × 10    7.75                   .900 (.800 to .950)",
    "",
    "class     p  tokens shuffled",
    "3      .600     .100 to .300",
  ]);
});
