// Which tokens does a head connect, read off its weights: who looks for whom (QK), and what that raises (OV)?
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import {
  cast,
  greater,
  input,
  matmul,
  type Program,
  program,
  reshape,
  sum,
  takeAlong,
  topK,
} from "../graph/index.ts";
import { type Model, readWeight } from "../models/index.ts";
import { type Backend, rowsPerRun } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { drawnControl, type Figure, figure, type Head } from "./figure.ts";
import { readHeads, readUnembedding } from "./head-weights.ts";
import { type Matrix, matrix, productOn, times, toTensor, transposed } from "./matrix.ts";

export interface TokenPair {
  /** QK: the token at the query. OV: the token that is attended to. */
  readonly from: number;
  /** QK: the token at the key. OV: the token whose logit is moved. */
  readonly to: number;
  /** QK: attention score. OV: logits per unit of attention, before the final norm's division. */
  readonly value: number;
}

export interface TokenCircuit extends Head {
  readonly circuit: "QK" | "OV";
  /** The largest entries of the whole [d_vocab, d_vocab], largest first. */
  readonly top: readonly TokenPair[];
  /** The largest entry, beside that of the head with its weights shuffled. */
  readonly largest: Figure;
  /** Share of tokens whose own entry is among the ten largest of their row: the diagonal's strength. */
  readonly own: Figure;
}

export interface TokenCircuitOptions {
  layer: number;
  head: number;
  circuit: "QK" | "OV";
  /** How many pairs to return. */
  k?: number;
  /** `embedding`: each token's embedding is divided by its own size, as a norm would; else by nothing. */
  scale?: "embedding" | "none";
  draws?: number;
  seed?: number;
}

/**
 * The full circuits of Elhage et al. 2021 through token embeddings: QK = W_E W_Q W_Kᵀ W_Eᵀ · scale
 * (same position where positions are rotary) and OV = W_E W_V W_O W_U, norms folded in, biases and
 * position embeddings left out. Beyond layer 0 the stream holds more than embeddings: read with care.
 */
export async function tokenCircuit(
  model: Model,
  backend: Backend,
  { layer, head, circuit, k = 20, scale = "embedding", draws = 2, seed = 0 }: TokenCircuitOptions,
): Promise<TokenCircuit> {
  const { config } = model;
  check(head >= 0 && head < config.n_heads, "site/head", "there is no such head", {
    got: head,
    wanted: `0 to ${config.n_heads - 1}`,
  });
  const { Q, K, V, O } = await readHeads(model, layer);
  const rng = random(seed).stream(`${circuit} ${layer} ${head}`);
  const E = await embeddings(model, scale);
  const far = circuit === "QK" ? undefined : await readUnembedding(model);
  const depth = config.scale_by_inverse_layer ? layer + 1 : 1;
  const by = (config.attn_scale ?? 1 / Math.sqrt(config.d_head)) / depth;
  // left [d_vocab, d_head] · right [d_head, d_vocab]
  const sides = async (shuffle: (m: Matrix) => Matrix) => {
    const left = await productOn(
      backend,
      E,
      toTensor(shuffle(circuit === "QK" ? scaledBy(Q[head]!, by) : V[head]!)),
    );
    const right =
      far === undefined
        ? transposed(await productOn(backend, E, toTensor(shuffle(K[head]!))))
        : await productOn(backend, toTensor(shuffle(O[head]!)), far);
    return { left: toTensor(left), right: toTensor(right) };
  };
  const read = async (shuffle: (m: Matrix) => Matrix) =>
    scan(backend, await sides(shuffle), { k, near: Math.min(10, config.d_vocab) });
  const found = await read((m) => m);
  const controls: (typeof found)[] = [];
  for (let draw = 0; draw < draws; draw++)
    controls.push(await read((m) => matrix(m.rows, m.columns, rng.shuffle(m.data.slice()))));
  const beside = (value: number, of: (one: typeof found) => number): Figure =>
    figure(value, ...(draws === 0 ? [] : [drawnControl("permuted-weights", controls.map(of))]));
  return {
    layer,
    head,
    circuit,
    top: found.top,
    largest: beside(found.top[0]!.value, ({ top }) => top[0]!.value),
    own: beside(found.own, ({ own }) => own),
  };
}

/** [d_vocab, d_model]; divided by each row's size where the model has norms and `scale` says so. */
async function embeddings(model: Model, scale: "embedding" | "none"): Promise<Tensor<"float32">> {
  const { normalization, embed_multiplier = 1, eps = 1e-5, norm_placement } = model.config;
  const W_E = await readWeight(model, "embed.W_E");
  const divides = scale === "embedding" && normalization !== "none" && norm_placement !== "post";
  if (!divides && embed_multiplier === 1) return W_E;
  const [rows, width] = W_E.shape as [number, number];
  const data = new Float32Array(W_E.data.length);
  for (let i = 0; i < rows; i++) {
    const row = W_E.data.subarray(i * width, (i + 1) * width);
    let mean = 0;
    if (normalization === "LN") for (const x of row) mean += x / width;
    let power = 0;
    for (const x of row) power += (embed_multiplier * (x - mean)) ** 2 / width;
    const factor = divides ? embed_multiplier / Math.sqrt(power + eps) : embed_multiplier;
    for (let j = 0; j < width; j++) data[i * width + j] = factor * row[j]!;
  }
  return tensor("float32", W_E.shape, data);
}

function scaledBy({ rows, columns, data }: Matrix, by: number): Matrix {
  return {
    rows,
    columns,
    data: data.map((x) => by * x),
  };
}

/** The whole product, some rows at a time: its largest entries, and how often the diagonal leads. */
async function scan(
  backend: Backend,
  { left, right }: { left: Tensor<"float32">; right: Tensor<"float32"> },
  { k, near }: { k: number; near: number },
): Promise<{ top: TokenPair[]; own: number }> {
  const [n, d_head] = left.shape as [number, number];
  const columns = right.shape[1]!;
  const rows = rowsPerRun(n, { bytesPerRow: 4 * columns });
  let top: TokenPair[] = [];
  let own = 0;
  let made: { size: number; program: Program } | undefined;
  for (let from = 0; from < n; from += rows) {
    const size = Math.min(rows, n - from);
    if (made?.size !== size) made = { size, program: scanProgram(size, d_head, columns, k) };
    const run = await backend.compile(made.program);
    const part = left.data.subarray(from * d_head, (from + size) * d_head);
    const out = await run.run({
      left: tensor("float32", [size, d_head], part),
      right,
      self: tensor(
        "int32",
        [size, 1],
        Int32Array.from({ length: size }, (_, i) => from + i),
      ),
    });
    await run.release();
    const places = out.places!.data;
    const values = out.values!.data as Float32Array;
    const found = Array.from(values, (value, i): TokenPair => {
      const place = Number(places[i]!);
      return { from: from + Math.floor(place / columns), to: place % columns, value };
    });
    top = [...top, ...found].sort((a, b) => b.value - a.value).slice(0, k);
    for (const above of out.above!.data as Float32Array) if (above < near) own += 1 / n;
  }
  return { top, own };
}

function scanProgram(size: number, d_head: number, columns: number, k: number): Program {
  const left = input("left", "float32", [size, d_head]);
  const right = input("right", "float32", [d_head, columns]);
  const self = input("self", "int32", [size, 1]);
  const all = matmul(left, right);
  const { values, indices } = topK(reshape(all, [size * columns]), Math.min(k, size * columns));
  const higher = greater(all, takeAlong(all, self, { axis: 1 }));
  const above = sum(cast(higher, "float32"), { axes: [1] });
  return program({ inputs: [left, right, self], outputs: { values, places: indices, above } });
}

/** One circuit written out, [d_vocab, d_vocab]: for small vocabularies, and for tests. */
export async function fullCircuit(
  model: Model,
  { layer, head, circuit }: Pick<TokenCircuitOptions, "layer" | "head" | "circuit">,
): Promise<Matrix> {
  const { config } = model;
  const { Q, K, V, O } = await readHeads(model, layer);
  const { shape, data } = await embeddings(model, "none");
  const E = matrix(shape[0]!, shape[1]!, data);
  if (circuit === "OV") {
    const U = await readUnembedding(model);
    const wide = matrix(U.shape[0]!, U.shape[1]!, U.data);
    return times(times(E, V[head]!), times(O[head]!, wide));
  }
  const depth = config.scale_by_inverse_layer ? layer + 1 : 1;
  const by = (config.attn_scale ?? 1 / Math.sqrt(config.d_head)) / depth;
  return times(times(E, scaledBy(Q[head]!, by)), transposed(times(E, K[head]!)));
}
