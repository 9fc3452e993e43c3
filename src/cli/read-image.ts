// What does an encoder of images read: pixels from a file, cut into patches?
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { EncoderFeeds, Model } from "../models/index.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import { readTensorFile } from "./tensor-file.ts";

/** What an encoder of images reads: [1, channels, height, width], and where its patches lie. */
export interface Image {
  readonly pixels: Tensor<"float32">;
  readonly patch: readonly [number, number];
  /** Rows and columns of patches; the class token comes before them. */
  readonly grid: readonly [number, number];
  readonly pieces: readonly { id: number; text: string }[];
}

/** `FILE.npy`, `FILE.safetensors#TENSOR`: one image, or the first of several. Errors: `model/image`. */
export async function readImage({ config }: Model, named: string): Promise<Image> {
  const { image } = config.encoder ?? {};
  check(image !== undefined, "option/unknown", "this model reads no images", {
    where: "--pixels",
    got: config.name,
  });
  const all = await readTensorFile(named);
  const wanted = [image.channels, ...image.size];
  check(all.shape.slice(-3).join() === wanted.join(), "model/image", "the image has another size", {
    where: named,
    got: `[${all.shape.join(", ")}]`,
    wanted: `[${wanted.join(", ")}], float32, scaled and normalised as the model expects`,
  });
  const n = wanted.reduce((a, b) => a * b);
  const grid = [image.size[0] / image.patch[0], image.size[1] / image.patch[1]] as const;
  const [rows, columns] = grid.map(Math.floor) as [number, number];
  const names = [
    "class",
    ...Array.from(
      { length: rows * columns },
      (_, i) => `${Math.floor(i / columns)},${i % columns}`,
    ),
  ];
  return {
    pixels: f32([1, ...wanted], all.data.slice(0, n)),
    patch: image.patch,
    grid: [rows, columns],
    pieces: names.map((text, id) => ({ id, text })),
  };
}

/** The same patches in another order. */
export function shuffledPatches(
  { pixels, patch: [high, wide], grid: [rows, columns] }: Image,
  rng: Random,
): EncoderFeeds {
  const [, channels, height, width] = pixels.shape as [number, number, number, number];
  const order = rng.shuffle(Array.from({ length: rows * columns }, (_, i) => i));
  const data = pixels.data.slice();
  for (const [to, from] of order.entries())
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < high; y++) {
        const start = (place: number) =>
          (c * height + Math.floor(place / columns) * high + y) * width + (place % columns) * wide;
        data.set(pixels.data.subarray(start(from), start(from) + wide), start(to));
      }
  return { pixels: f32(pixels.shape, data) };
}
