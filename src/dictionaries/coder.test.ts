import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { ortBackend } from "../runtime/ort.ts";
import { openCoder } from "./coder.ts";
import { type Dictionary, foldScale, makeDictionary } from "./dictionary.ts";
import { unitRows } from "./initial.ts";
import { decodeReference } from "./kernels-reference.ts";

const backend = ortBackend();
const [d_in, d_sae, k] = [13, 40, 5];

function randomDictionary(scale: number): Dictionary {
  const rng = random(6);
  const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  return makeDictionary({
    architecture: "topk",
    d_in,
    d_sae,
    k,
    W_enc: normal(d_in * d_sae),
    b_enc: normal(d_sae).map((b) => b - 5),
    W_dec: unitRows(rng, d_sae, d_in),
    b_dec: normal(d_in),
    scale,
    metadata: {},
  });
}

/** Feature activations [n, d_sae] by the definition. */
function activations({ W_enc, b_enc, b_dec, scale }: Dictionary, acts: Float32Array): number[][] {
  const rows: number[][] = [];
  for (let at = 0; at < acts.length; at += d_in) {
    const pre = Array.from({ length: d_sae }, (_, f) => {
      let sum = b_enc[f]!;
      for (let c = 0; c < d_in; c++)
        sum += (acts[at + c]! * scale - b_dec[c]!) * W_enc[c * d_sae + f]!;
      return sum;
    });
    const least = pre.slice().sort((a, b) => b - a)[k - 1]!;
    rows.push(pre.map((v) => (v >= least ? Math.max(v, 0) : 0)));
  }
  return rows;
}

describe("openCoder", () => {
  const rng = random(1);
  const acts = Float32Array.from({ length: 70 * d_in }, () => rng.normal());

  it.each([1, 2.5])("encodes and decodes by the definition (scale %d)", async (scale) => {
    const dictionary = randomDictionary(scale);
    const coder = await openCoder(dictionary, backend);
    const found = await coder.encode(acts);
    const wanted = activations(dictionary, acts);
    expect(found).toMatchObject({ n_tokens: 70, k });
    const wide = wanted.map(() => new Array<number>(d_sae).fill(0));
    found.value.forEach((v, p) => {
      if (v > 0) wide[Math.floor(p / k)]![found.index[p]!] = v;
    });
    wide.flat().forEach((v, i) => {
      expect(v).toBeCloseTo(wanted.flat()[i]!, 4);
    });
    // The bias makes some of the top k negative: they must not count.
    expect(found.value.some((v) => v === 0)).toBe(true);
    const decoded = coder.decode(found);
    const exact = decodeReference({ ...dictionary, ...found, rows: 70, d: d_in });
    decoded.forEach((v, i) => {
      expect(v).toBeCloseTo(exact[i]! / scale, 4);
    });
    await coder.release();
  });

  it("takes no row, one row, and more rows than a run", async () => {
    const coder = await openCoder(randomDictionary(1), backend);
    expect((await coder.encode(new Float32Array(0))).n_tokens).toBe(0);
    expect(coder.decode(await coder.encode(new Float32Array(0)))).toHaveLength(0);
    const one = await coder.encode(acts.subarray(0, d_in));
    const many = new Float32Array(2100 * d_in);
    for (let at = 0; at < many.length; at += d_in) many.set(acts.subarray(0, d_in), at);
    const all = await coder.encode(many);
    for (const t of [0, 1, 2047, 2048, 2099])
      one.value.forEach((v, j) => {
        expect(all.value[t * k + j]).toBeCloseTo(v, 5);
      });
    expect(coder.decode(all).subarray(2099 * d_in)).toEqual(coder.decode(all).subarray(0, d_in));
  });

  it("computes the same with the scale folded in, in the units of the inputs", async () => {
    const scaled = randomDictionary(3);
    const folded = foldScale(scaled);
    expect(folded.scale).toBe(1);
    const [a, b] = [await openCoder(scaled, backend), await openCoder(folded, backend)];
    const [rowsA, rowsB] = [await a.encode(acts), await b.encode(acts)];
    rowsA.value.forEach((v, p) => {
      expect(rowsB.value[p]! * 3).toBeCloseTo(v, 3);
    });
    const [xA, xB] = [a.decode(rowsA), b.decode(rowsB)];
    xA.forEach((v, i) => {
      expect(xB[i]).toBeCloseTo(v, 4);
    });
  });

  it("refuses rows of another width and features that do not exist", async () => {
    const coder = await openCoder(randomDictionary(1), backend);
    await expect(coder.encode(new Float32Array(d_in + 1))).rejects.toMatchObject({
      code: "shape/size",
    });
    const bad = { n_tokens: 1, k: 1, index: Int32Array.of(d_sae), value: Float32Array.of(1) };
    expect(() => coder.decode(bad)).toThrow("no such feature");
  });

  it("refuses dictionaries with NaN, wrong sizes, or scale 0", () => {
    const good = randomDictionary(1);
    const b_enc = good.b_enc.slice();
    b_enc[3] = Number.NaN;
    expect(() => makeDictionary({ ...good, b_enc })).toThrow("b_enc holds NaN");
    expect(() => makeDictionary({ ...good, d_in: 12 })).toThrow("wrong size");
    expect(() => makeDictionary({ ...good, scale: 0 })).toThrow("scale");
  });
});
