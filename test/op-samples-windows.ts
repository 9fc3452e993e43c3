// Samples of the ops that move a window over axes: convolutions and pools.
import fc from "fast-check";
import { conv, conv2d, convTranspose } from "../src/graph/ops/conv.ts";
import type { maxPool } from "../src/graph/ops/pool.ts";
import { type Draw, seed } from "./op-draw.ts";

const windows = fc.record({
  image: fc.tuple(fc.integer({ min: 3, max: 6 }), fc.integer({ min: 3, max: 6 })),
  kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
  pad: fc.boolean(),
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  seed,
});

export const convolved: Draw = windows.map(
  ({ image, kernel, stride, pad: padded, batch, channels: [from, to], seed }) => ({
    leaves: [
      { shape: [batch, from, ...image], fill: "normal" },
      { shape: [to, from, ...kernel], fill: "normal" },
      { shape: [to], fill: "normal" },
    ],
    build: ([x, w, bias]) => conv2d(x!, w!, { stride, padding: padded ? 1 : 0, bias: bias! }),
    seed,
  }),
);

export function pooled(make: typeof maxPool): Draw {
  return windows.map(({ image, kernel, stride, pad: padded, batch, channels: [from], seed }) => ({
    leaves: [{ shape: [batch, from, ...image], fill: "apart" }],
    build: ([x]) =>
      make(x!, kernel, {
        stride,
        padding: padded ? (kernel.map((n) => (n > 1 ? 1 : 0)) as [number, number]) : 0,
      }),
    seed,
  }));
}

/** One, two or three axes; groups, dilation, and padding that differs between the ends. */
const anyConv = fc
  .record({
    rank: fc.integer({ min: 1, max: 3 }),
    sizes: fc.array(fc.integer({ min: 3, max: 4 }), { minLength: 3, maxLength: 3 }),
    kernel: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 3, maxLength: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.nat({ max: 1 }),
    paddingAfter: fc.nat({ max: 1 }),
    groups: fc.integer({ min: 1, max: 2 }),
    batch: fc.integer({ min: 1, max: 2 }),
    channels: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    seed,
  })
  .map(({ rank, sizes, kernel, ...rest }) => ({
    // Differences cost a run an element: volumes stay small.
    image: sizes.slice(0, rank).map((n) => (rank === 3 ? 3 : n)),
    kernel: kernel.slice(0, rank),
    ...rest,
  }));

export const convolvedAnyhow: Draw = anyConv.map(
  ({ image, kernel, batch, channels: [from, to], seed, groups, ...options }) => ({
    leaves: [
      { shape: [batch, from * groups, ...image], fill: "normal" },
      { shape: [to * groups, from, ...kernel], fill: "normal" },
    ],
    build: ([x, w]) => conv(x!, w!, { ...options, groups }),
    seed,
  }),
);

export const convolvedBack: Draw = anyConv.map(
  ({ image, kernel, batch, channels: [from, to], seed, groups, ...options }) => ({
    leaves: [
      { shape: [batch, from * groups, ...image], fill: "normal" },
      { shape: [from * groups, to, ...kernel], fill: "normal" },
    ],
    build: ([x, w]) => convTranspose(x!, w!, { ...options, groups }),
    seed,
  }),
);

export const pooledAnyhow = (make: typeof maxPool): Draw =>
  anyConv.map(({ image, kernel, batch, channels: [from], seed, stride, dilation, padding }) => ({
    leaves: [{ shape: [batch, from, ...image], fill: "apart" }],
    build: ([x]) =>
      make(x!, kernel, {
        stride,
        dilation,
        padding: 0,
        paddingAfter: kernel.map((n) => (n > 1 ? padding : 0)),
      }),
    seed,
  }));
