// A small network of ImageNet, trained by others: what it sees in two photographs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { program, softmax } from "../../src/graph/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { f32 } from "../../src/tensor/index.ts";
import { reached, readJson, withData } from "./data.ts";
import { centreSquare, readPng } from "./png.ts";
import { readTfjs } from "./tfjs.ts";

withData("vision/tiny-darknet-tfjs", (folder) => {
  const backend = ortBackend({ threads: 1 });
  afterAll(() => backend.release());

  test.each([
    ["chelsea.png", "Egyptian cat", 0.672],
    ["coffee.png", "espresso", 0.882],
  ])("%s is “%s” with probability %f", async (photo, label, probability) => {
    const { image, last } = readTfjs(folder);
    const labels = readJson(join(folder, "labels.json")) as string[];
    const made = program({ inputs: [image], outputs: { probabilities: softmax(last) } });
    const picture = readPng(readFileSync(join(folder, "../photos", photo)));
    const pixels = f32(image.shape, centreSquare(picture, image.shape[2]!));
    const ready = await backend.compile(made);
    const { probabilities } = await ready.run({ [image.name!]: pixels });
    await ready.release();
    const { data } = probabilities!;
    const best = data.indexOf(Math.max(...(data as Float32Array)) as never);
    reached(`Tiny Darknet, ${photo}`, `${labels[best]} ${Number(data[best]).toFixed(4)}`);
    expect(labels[best]).toBe(label);
    expect(Math.abs(Number(data[best]) - probability)).toBeLessThan(1e-3);
  });
});
