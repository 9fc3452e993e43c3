import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import {
  add,
  grad,
  input,
  interpret,
  matmul,
  mul,
  relu,
  scatterAlong,
  square,
  sub,
  sum,
  topK,
} from "../graph/index.ts";
import { f32 } from "../tensor/tensor.ts";
import { auxProgram } from "./auxk.ts";
import { gradientsReference } from "./kernels-reference.ts";

const [rows, d, d_sae, k, scale] = [6, 5, 9, 3, 0.25];
const rng = random(8);
const normal = (...shape: number[]) =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal()),
  );

describe("the sparse gradients", () => {
  it("equal the dense ones of the graph layer, TopK and all", () => {
    const feeds = {
      x: normal(rows, d),
      W_enc: normal(d_sae, d),
      b_enc: normal(d_sae),
      W_dec: normal(d_sae, d),
      b_dec: normal(d),
    };
    const at = (name: keyof typeof feeds) => input(name, "float32", feeds[name].shape);
    const [x, W_enc, b_enc, W_dec, b_dec] = (
      ["x", "W_enc", "b_enc", "W_dec", "b_dec"] as const
    ).map(at) as [never, never, never, never, never];
    const pre = add(matmul(sub(x, b_dec), W_enc, { transB: true }), b_enc);
    const { values, indices } = topK(pre, k);
    const acts = relu(scatterAlong(indices, values, { size: d_sae, axis: 1 }));
    const error = sub(add(matmul(acts, W_dec), b_dec), x);
    const loss = mul(sum(square(error)), scale / 2);
    const [dW_enc, db_enc, dW_dec, db_dec] = grad(loss, [W_enc, b_enc, W_dec, b_dec]);
    const dense = interpret(
      {
        loss,
        values,
        indices,
        dW_enc: dW_enc!,
        db_enc: db_enc!,
        dW_dec: dW_dec!,
        db_dec: db_dec!,
      },
      feeds,
    );
    const data = (name: string) => dense[name]!.data as Float64Array;
    const sparse = gradientsReference({
      x: feeds.x.data,
      index: data("indices"),
      value: data("values"),
      W_enc: feeds.W_enc.data,
      W_dec: feeds.W_dec.data,
      b_dec: feeds.b_dec.data,
      rows,
      k,
      d,
      scale,
    });
    expect(sparse.loss).toBeCloseTo(data("loss")[0]!, 10);
    for (const name of ["dW_enc", "db_enc", "dW_dec", "db_dec"] as const)
      sparse[name].forEach((found, i) => {
        expect(found).toBeCloseTo(data(name)[i]!, 10);
      });
  });
});

describe("AuxK", () => {
  const n = 4;
  const make = (k_aux: number) => auxProgram(n, d, { k_aux, rows, coefficient: 0.5 });
  const feeds = {
    x: normal(rows, d),
    r: normal(rows, d),
    W_enc: normal(n, d),
    b_enc: normal(n),
    W_dec: normal(n, d),
    b_dec: normal(d),
  };

  it.each([2, 100])("has the gradients that central differences give (k_aux %i)", (k_aux) => {
    const aux = make(k_aux);
    const loss = (changed: Partial<typeof feeds>) =>
      interpret(aux, { ...feeds, ...changed }).loss!.data[0] as number;
    const found = interpret(aux, feeds);
    for (const name of ["W_enc", "b_enc", "W_dec"] as const)
      for (let i = 0; i < feeds[name].data.length; i++) {
        const moved = (by: number) => {
          const wide = Float64Array.from(feeds[name].data);
          wide[i]! += by;
          return { ...feeds[name], data: wide as unknown as Float32Array };
        };
        const h = 1e-5;
        const numeric = (loss({ [name]: moved(h) }) - loss({ [name]: moved(-h) })) / (2 * h);
        expect(found[`d${name}`]!.data[i] as number).toBeCloseTo(numeric, 6);
      }
  });

  it("gives the coefficient when the dead features say nothing and the residual has mean 0", () => {
    const r = feeds.r.data.slice();
    for (let c = 0; c < d; c++) {
      let mean = 0;
      for (let t = 0; t < rows; t++) mean += r[t * d + c]! / rows;
      for (let t = 0; t < rows; t++) r[t * d + c]! -= mean;
    }
    const silent = { ...feeds, r: f32([rows, d], r), b_enc: f32([n], [-1e9, -1e9, -1e9, -1e9]) };
    const { loss, dW_dec } = interpret(make(2), silent);
    expect(loss!.data[0]).toBeCloseTo(0.5, 6);
    expect(Array.from(dW_dec!.data as Float64Array).every((g) => g === 0)).toBe(true);
  });
});
