// Does a model copy what it has read? Texts are read twice, and heads are silenced in turn: which one carries the gain?
import { pathToFileURL } from "node:url";
import { bootstrapInterval, type Estimate, resampleDocuments } from "../src/evidence/index.ts";
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
  /** How much better each text is foretold behind itself than behind the other. */
  const gains = async (of: [Int32Array, Int32Array][], silent?: number): Promise<number[]> => {
    const { n_heads } = model.config;
    const where = (head: number) => ({
      sites: "z",
      layers: [Math.floor(head / n_heads)],
      heads: [head % n_heads],
    });
    const interventions = silent === undefined ? [] : [ablate(where(silent))];
    const behindOther = await second(
      of.map(([ids, other]) => [other, ids]),
      interventions,
    );
    const behindItself = await second(
      of.map(([ids]) => [ids, ids]),
      interventions,
    );
    return behindOther.map((loss, i) => loss - behindItself[i]!);
  };
  const silenced = async (of: [Int32Array, Int32Array][]): Promise<number[][]> => {
    const all: number[][] = [];
    for (let head = 0; head < model.config.n_layers * model.config.n_heads; head++)
      all.push(await gains(of, head));
    return all;
  };

  // The head that the gain needs most is chosen on some texts, and judged on others.
  const chosen = (await silenced(pairs("select"))).map(mean);
  const head = chosen.indexOf(Math.min(...chosen));
  const of = pairs("eval");
  const gain = await gains(of);
  const without = await silenced(of);
  await backend.release();
  const own = without[head]!;
  const rest = without.filter((one) => one !== own);
  const others = of.map((_, i) => mean(rest.map((one) => one[i]!)));
  const resamples = resampleDocuments(new Uint8Array(of.length).fill(1), random(0).stream("texts"));
  const ones = new Float64Array(of.length).fill(1);
  const estimate = (each: number[]): Estimate =>
    bootstrapInterval([each, ones], ([sum, n]) => sum! / n!, resamples);
  return {
    texts: of.length,
    head: `${Math.floor(head / model.config.n_heads)}.${head % model.config.n_heads}`,
    gain: estimate(gain),
    without: estimate(own),
    withoutAnother: estimate(others),
    difference: estimate(others.map((x, i) => x - own[i]!)),
  };
}

function mean(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / list.length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await main());
