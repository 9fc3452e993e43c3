// One training thread: residuals of its rows, then gradients and Adam of its features, in its own memory.
import { parentPort, workerData } from "node:worker_threads";
import { kernels, strideOf } from "./kernels.ts";
import {
  blockSize,
  type FeatureStep,
  type Moments,
  shareOf,
  type WorkerStart,
  type WorkerTask,
} from "./step-memory.ts";

const { shape, memory, adam, worker, workers, moments } = workerData as WorkerStart;
const { batch, d_in, d_sae, k } = shape;
const stride = strideOf(d_in);
const pairs = batch * k;

const rowShare = shareOf(batch, worker, workers);
const row0 = Math.min(rowShare.from * blockSize, batch);
const row1 = Math.min(rowShare.to * blockSize, batch);
const share = shareOf(d_sae, worker, workers);
const f0 = Math.min(share.from * blockSize, d_sae);
const f1 = Math.min(share.to * blockSize, d_sae);
const n = f1 - f0;
/** b_enc is treated as one padded row. */
const biasStride = (share.to - share.from) * blockSize;

const floatsNeeded =
  stride * (d_sae + 5 * n + 2 * batch + 2 * blockSize + 2) + 3 * biasStride + blockSize + 6 * pairs;
const K = kernels(4 * (floatsNeeded + n + 1) + 64 * 32);
const W_dec = K.floats(d_sae * stride);
const W_enc = K.floats(n * stride);
const own = {
  mW_dec: K.floats(n * stride),
  vW_dec: K.floats(n * stride),
  mW_enc: K.floats(n * stride),
  vW_enc: K.floats(n * stride),
  mb_enc: K.floats(biasStride),
  vb_enc: K.floats(biasStride),
};
const b_enc = K.floats(biasStride);
const b_dec = K.floats(stride);
const x = K.floats(batch * stride);
const r = K.floats(batch * stride);
const index = K.words(pairs);
const value = K.floats(pairs);
const g = K.floats(pairs);
const offsets = K.words(n + 1);
const pairToken = K.words(pairs);
const pairValue = K.floats(pairs);
const pairG = K.floats(pairs);
const dW_dec = K.floats(blockSize * stride);
const dW_enc = K.floats(blockSize * stride);
const db_enc = K.floats(blockSize);
const sums = K.floats(stride);

const span = { W: [f0 * stride, f1 * stride] as const, b: [f0, f1] as const };
W_dec.data.set(memory.W_dec);
W_enc.data.set(memory.W_enc.subarray(...span.W));
b_enc.data.set(memory.b_enc.subarray(...span.b));
if (moments) eachMoment(moments, (mine, theirs) => mine.set(theirs));

function eachMoment(
  shared: Moments,
  copy: (mine: Float32Array, theirs: Float32Array) => void,
): void {
  for (const [name, mine] of Object.entries(own)) {
    const theirs = shared[name as keyof Moments];
    const part = theirs.subarray(...(name.endsWith("b_enc") ? span.b : span.W));
    copy(mine.data.subarray(0, part.length), part);
  }
}

/** Copies what lies outside [from, to): this worker's own part is already here. */
function copyOthers(mine: Float32Array, shared: Float32Array, from: number, to: number): void {
  mine.set(shared.subarray(0, from));
  mine.set(shared.subarray(to), to);
}

function residuals(): void {
  copyOthers(W_dec.data, memory.W_dec, ...span.W);
  b_dec.data.set(memory.b_dec);
  x.data.set(memory.x);
  index.data.set(memory.index);
  value.data.set(memory.value);
  for (let block = rowShare.from; block < rowShare.to; block++) {
    const from = block * blockSize;
    const rows = Math.min(blockSize, batch - from);
    const row = 4 * from * stride;
    const pair = 4 * from * k;
    memory.loss[block] = K.residual(
      x.at + row,
      W_dec.at,
      b_dec.at,
      index.at + pair,
      value.at + pair,
      r.at + row,
      g.at + pair,
      rows,
      k,
      stride,
    );
    K.columnSums(r.at + row, rows, sums.at, stride);
    memory.rSum.set(sums.data, block * stride);
  }
  memory.r.set(r.data.subarray(row0 * stride, row1 * stride), row0 * stride);
  memory.g.set(g.data.subarray(row0 * k, row1 * k), row0 * k);
}

function updates(step: FeatureStep): void {
  copyOthers(r.data, memory.r, row0 * stride, row1 * stride);
  copyOthers(g.data, memory.g, row0 * k, row1 * k);
  K.group(
    index.at,
    value.at,
    g.at,
    batch,
    k,
    f0,
    f1,
    offsets.at,
    pairToken.at,
    pairValue.at,
    pairG.at,
  );
  let aux = 0;
  while (aux < step.aux && memory.auxId[aux]! < f0) aux++;
  for (let block = share.from; block < share.to; block++) {
    const at = block * blockSize - f0;
    const size = Math.min(blockSize, n - at);
    const row = 4 * at * stride;
    db_enc.data.fill(0);
    K.gradients(
      offsets.at + 4 * at,
      pairToken.at,
      pairValue.at,
      pairG.at,
      size,
      x.at,
      r.at,
      b_dec.at,
      step.scale,
      dW_dec.at,
      dW_enc.at,
      db_enc.at,
      stride,
    );
    // b_dec takes its share of the main loss only, so before AuxK's gradients come in.
    K.weightedRows(W_enc.at + row, db_enc.at, size, sums.at, stride);
    memory.encoderSum.set(sums.data, block * stride);
    while (aux < step.aux && memory.auxId[aux]! < f0 + at + size) addAux(aux++, f0 + at);
    if (step.withNorm)
      memory.norm[block] =
        K.sumSquares(dW_dec.at, size, stride) +
        K.sumSquares(dW_enc.at, size, stride) +
        K.sumSquares(db_enc.at, 1, blockSize);
    const weightStep = [step.rate, adam.beta1, adam.beta2, step.invSqrtBias2, adam.eps] as const;
    const { mW_dec, vW_dec, mW_enc, vW_enc, mb_enc, vb_enc } = own;
    const dec = W_dec.at + 4 * f0 * stride + row;
    K.adam(dec, dW_dec.at, mW_dec.at + row, vW_dec.at + row, size, stride, ...weightStep, 1);
    const enc = W_enc.at + row;
    K.adam(enc, dW_enc.at, mW_enc.at + row, vW_enc.at + row, size, stride, ...weightStep, 0);
    const bias = 4 * at;
    K.adam(
      b_enc.at + bias,
      db_enc.at,
      mb_enc.at + bias,
      vb_enc.at + bias,
      1,
      blockSize,
      ...weightStep,
      0,
    );
  }
  memory.W_dec.set(W_dec.data.subarray(...span.W), span.W[0]);
  memory.W_enc.set(W_enc.data, span.W[0]);
  memory.b_enc.set(b_enc.data.subarray(0, n), f0);
}

/** Adds AuxK's gradients of one dead feature to the block that starts at feature `first`. */
function addAux(aux: number, first: number): void {
  const slot = memory.auxId[aux]! - first;
  const from = aux * stride;
  sums.data.set(memory.auxW_dec.subarray(from, from + stride));
  K.addRow(dW_dec.at + 4 * slot * stride, sums.at, stride);
  sums.data.set(memory.auxW_enc.subarray(from, from + stride));
  K.addRow(dW_enc.at + 4 * slot * stride, sums.at, stride);
  db_enc.data[slot]! += memory.auxb_enc[aux]!;
}

parentPort!.on("message", (message: WorkerTask) => {
  if (message.task === "rows") residuals();
  else if (message.task === "features") updates(message.step);
  else eachMoment(message.into, (mine, theirs) => theirs.set(mine));
  parentPort!.postMessage(message.task);
});
parentPort!.postMessage("ready");
