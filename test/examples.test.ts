// Do the examples say what they promise? Each is run, with its numbers held against what must be true.
import { expect, test } from "vitest";
import { main as read } from "../examples/01-read-a-site.ts";
import { main as grow } from "../examples/02-grow-a-model.ts";
import { main as learn } from "../examples/03-learn-a-dictionary.ts";
import { main as ablate } from "../examples/04-ablate-a-neuron.ts";
import { main as describeFeatures } from "../examples/05-describe-features.ts";
import { main as claims } from "../examples/06-a-claim-and-its-control.ts";
import { main as touch } from "../examples/07-touch-and-undo.ts";
import { main as readTwice } from "../examples/08-read-it-twice.ts";
import { listOrganisms } from "../src/index.ts";

const grown = grow();

test("01: the bundled organism's neurons are read at every token", async ({ skip }) => {
  if (!(await listOrganisms()).includes("field-1l")) skip("field-1l is not bundled");
  const { shape, strongest } = (await read())!;
  expect(shape).toEqual([1, strongest.length, 512]);
  for (const { activation } of strongest) expect(activation).toBeGreaterThanOrEqual(0);
});

test("02: a model that has grown is less surprised than one that knows the vocabulary's size", async () => {
  const { losses } = await grown;
  expect(losses.before).toBeCloseTo(Math.log(400), 1);
  expect(losses.after).toBeLessThan(0.7 * Math.log(400));
});

test("03: planted directions are found, random rows lie further off", async () => {
  const { mean_cosine, mean_cosine_of_random_rows, found } = await learn();
  expect(found).toBeGreaterThanOrEqual(28);
  expect(mean_cosine).toBeGreaterThan(0.95);
  expect(mean_cosine_of_random_rows).toBeLessThan(0.65);
});

test("04: the neuron that Hebrew misses is missed little elsewhere", async () => {
  const table = await ablate({ grown });
  const hebrew = table.find(({ context }) => context === "hebrew")!;
  expect(hebrew.costs).toBeGreaterThan(3 * hebrew.elsewhere);
});

test("05: features are described, and a page can be read back", async () => {
  const { alive, page } = await describeFeatures({ grown });
  expect(alive).toBeGreaterThan(32);
  expect(page.top.length).toBeGreaterThan(0);
  expect(page.statement).toMatch(/^Fires on \d+ % of tokens/);
});

test("06: a feature for Hebrew clears the permuted model's, and says so as a claim", async () => {
  const found = await claims({ grown });
  const hebrew = found.find(({ statement }) => statement.includes("hebrew"))!;
  expect(hebrew.chosen_on).toBe("select");
  expect(hebrew.judged_on).toBe("eval");
  expect(hebrew.verdict).toBe("holds");
  expect(hebrew.estimate.low!).toBeGreaterThan(hebrew.control!.high! + 0.2);
});

test("07: a gradient names the neuron; ablating and editing it cost the logit the same, and undo is whole", async ({
  skip,
}) => {
  if (!(await listOrganisms()).includes("field-1l")) skip("field-1l is not bundled");
  const { predicted, ablated, edited, back } = (await touch())!;
  // The path from neurons to logits is linear in this model, so first order is exact.
  expect(ablated).toBeCloseTo(predicted, 3);
  expect(edited).toBeCloseTo(predicted, 3);
  expect(predicted).toBeGreaterThan(0.05);
  expect(back).toBe(true);
});

test("08: what a text gains from having been read hangs on the previous-token head", async ({
  skip,
}) => {
  if (!(await listOrganisms()).includes("field-4l")) skip("field-4l is not bundled");
  const { gain, head, difference } = (await readTwice({ texts: 24 }))!;
  expect(gain.low).toBeGreaterThan(0);
  // By the head scores of `run field-4l --heads` it looks at the token before.
  expect(head).toBe("0.0");
  expect(difference.value).toBeGreaterThan(0);
});
