// Does every family write with its key-value cache, rows padded, what it computes of the whole text at once?
import { afterAll, expect, test } from "vitest";
import { generate } from "../../src/hooks/generate/index.ts";
import { runModel } from "../../src/models/parity.fixture.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { distance } from "./rows.ts";
import { decoders, drawTokens, int32, tokenRows } from "./subjects.fixture.ts";

const ort = ortBackend({ threads: 1 });
afterAll(() => ort.release());
const allowed = 1e-5;

// Nine positions at most: beyond them the scaling of some families' positions depends on how much was read.
test.each((await decoders()).map((one) => [one.name, one] as const))("%s", async (_, { open }) => {
  const model = await open();
  const { d_vocab } = model.config;
  const texts = [
    tokenRows(drawTokens([1, 5], d_vocab, 8))[0]!,
    tokenRows(drawTokens([1, 2], d_vocab, 9))[0]!,
  ];
  const steps: number[][][] = [];
  for await (const { logits, rows } of generate(model, ort, texts, { max_new_tokens: 5 })) {
    steps.push(texts.map((_, row) => [...logits.subarray(row * d_vocab, (row + 1) * d_vocab)]));
    rows.forEach((made, row) => {
      texts[row] = [...texts[row]!, made!.token];
    });
  }
  for (const [row, text] of texts.entries()) {
    // The last token is read by no one.
    const tokens = int32([text.slice(0, -1)]);
    const read = (await runModel(model, ort, { tokens })).logits!.data as Float32Array;
    steps.forEach((logits, step) => {
      const at = text.length - 6 + step;
      const wanted = read.subarray(at * d_vocab, (at + 1) * d_vocab);
      expect(distance(logits[row]!, wanted)).toBeLessThanOrEqual(allowed);
    });
  }
});
