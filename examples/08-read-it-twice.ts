// Does a model copy what it has read? Texts are read twice, and heads are silenced in turn: which one carries the gain?
import { pathToFileURL } from "node:url";
import { bootstrapInterval, type Estimate, resampleDocuments } from "../src/evidence/index.ts";
import { scale } from "../src/hooks/index.ts";
import {
  ablate,
  type Intervention,
  listOrganisms,
  loadOrganism,
  lossWith,
  ortBackend,
  random,
  readFieldGuide,
} from "../src/index.ts";

/** Tokens of each text, and where in it losses begin to count: the first words surprise either time. */
const length = 100;
const settled = 20;

export async function main({ texts = 96 } = {}) {
  if (!(await listOrganisms()).includes("field-4l")) {
    console.log("field-4l is not bundled here: nothing to read with");
    return undefined;
  }
  const model = await loadOrganism("field-4l");
  const backend = ortBackend({ threads: 1 });
  const guide = await readFieldGuide();

  /** Beginnings of texts, drawn evenly, each with that of another text of its context. */
  const pairs = (split: string): [Int32Array, Int32Array][] => {
    const all = guide
      .filter((text) => text.split === split)
      .map(({ text, context }) => ({ ids: model.tokenizer!.encode(text), context }))
      .filter(({ ids }) => ids.length >= length);
    const paired = all.flatMap(({ ids, context }, i): [Int32Array, Int32Array][] => {
      const other = [...all.slice(i + 1), ...all.slice(0, i)].find((o) => o.context === context);
      return other === undefined ? [] : [[ids.subarray(0, length), other.ids.subarray(0, length)]];
    });
    const n = Math.min(texts, paired.length);
    return Array.from({ length: n }, (_, i) => paired[Math.floor((i * paired.length) / n)]!);
  };
  /** Nats a token of each row's second text. */
  const second = async (rows: Int32Array[][], interventions: Intervention[]): Promise<number[]> => {
    const tokens = Int32Array.from(rows.flatMap((row) => row.flatMap((ids) => [...ids])));
    const data = { rows: rows.length, n_ctx: 2 * length, tokens };
    const { ce } = await lossWith(model, backend, data, { interventions });
    return rows.map((_, row) => {
      const own = ce.subarray((2 * row + 1) * length + settled, (2 * row + 2) * length - 1);
      return own.reduce((sum, loss) => sum + loss, 0) / own.length;
    });
  };
  /** Each text behind another, and how much better it is foretold behind itself. */
  const read = async (of: [Int32Array, Int32Array][], interventions: Intervention[] = []) => {
    const other = await second(
      of.map(([ids, before]) => [before, ids]),
      interventions,
    );
    const itself = await second(
      of.map(([ids]) => [ids, ids]),
      interventions,
    );
    return { loss: mean(other), gain: other.map((loss, i) => loss - itself[i]!) };
  };
  const { n_heads, n_layers } = model.config;
  const silent = (head: number): Intervention[] => [
    ablate({ sites: "z", layers: [Math.floor(head / n_heads)], heads: [head % n_heads] }),
  ];

  // The head that the gain needs most is chosen on some texts, and judged on others.
  const few = pairs("select");
  const onSelect: number[] = [];
  for (let head = 0; head < n_layers * n_heads; head++)
    onSelect.push(mean((await read(few, silent(head))).gain));
  const head = onSelect.indexOf(Math.min(...onSelect));
  const of = pairs("eval");
  const whole = await read(of);
  const without = await read(of, silent(head));

  // The control does as much harm without touching attention: all MLPs are weakened until the loss
  // behind another text is as high.
  const weakened = (factor: number) => read(of, [scale("mlp_out", factor)]);
  let [low, high] = [0, 1];
  for (let step = 0; step < 8; step++) {
    const middle = (low + high) / 2;
    if ((await weakened(middle)).loss > without.loss) low = middle;
    else high = middle;
  }
  const control = await weakened(high);
  await backend.release();

  const resamples = resampleDocuments(new Uint8Array(of.length).fill(1), random(0).stream("texts"));
  const ones = new Float64Array(of.length).fill(1);
  const estimate = (each: number[]): Estimate =>
    bootstrapInterval([each, ones], ([sum, n]) => sum! / n!, resamples);
  return {
    texts: of.length,
    head: `${Math.floor(head / n_heads)}.${head % n_heads}`,
    losses: { whole: whole.loss, without: without.loss, control: control.loss },
    gain: estimate(whole.gain),
    without: estimate(without.gain),
    control: estimate(control.gain),
    difference: estimate(control.gain.map((x, i) => x - without.gain[i]!)),
  };
}

function mean(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / list.length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await main());
