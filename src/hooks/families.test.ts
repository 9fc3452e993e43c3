// In every family: recorded values put back give the same bits, and after an intervention nothing is left of it.
import { expect, test } from "vitest";
import { encoderGoldens, openGolden } from "../models/encoders/parity.fixture.ts";
import { openModel, sitesOf } from "../models/index.ts";
import { goldenFolder, listGolden } from "../models/parity.fixture.ts";
import { ortBackend } from "../runtime/index.ts";
import { runWithCache } from "./capture.ts";
import { ablate, freeze, patch } from "./interventions.ts";
import { sameBits, tinyTokens } from "./tiny.fixture.ts";

const backend = ortBackend({ threads: 1 });
const texts = (await encoderGoldens()).filter(({ tower }) => tower === "text");

test.each(await listGolden())("%s", async (name) => {
  const model = await openModel(`${goldenFolder}/${name}`, { tokenizer: null });
  const sites = sitesOf(model.config);
  const tokens = tinyTokens(2, 5, 1, Math.min(20, model.config.d_vocab));
  const all = { sites, logits: true };
  const before = await runWithCache(model, backend, tokens, all);
  const replayed = await runWithCache(model, backend, tokens, {
    ...all,
    interventions: [patch("**", { feed: "before" })],
    feeds: { before: before.cache },
  });
  // Freezing what nothing moves changes nothing, beyond rounding in another order.
  const frozen = await runWithCache(model, backend, tokens, {
    logits: true,
    interventions: [freeze(["patterns"], before.cache)],
  });
  const changed = await runWithCache(model, backend, tokens, {
    ...all,
    interventions: [ablate({ sites: "attn_out", positions: [1], rows: [0] })],
  });
  const after = await runWithCache(model, backend, tokens, all);
  for (const run of [replayed, after]) {
    expect(sameBits(run.logits!, before.logits!)).toBe(true);
    for (const site of sites)
      expect(sameBits(run.cache[site]!, before.cache[site]!), site).toBe(true);
  }
  const far = (of: typeof before) =>
    of.logits!.data.reduce(
      (most, x, i) => Math.max(most, Math.abs(x - before.logits!.data[i]!)),
      0,
    );
  expect(far(frozen as typeof before)).toBeLessThan(1e-3);
  expect(far(changed)).toBeGreaterThan(1e-3);
  const width = tokens.shape[1]! * model.config.d_vocab;
  expect(changed.logits!.data.subarray(width)).toEqual(before.logits!.data.subarray(width));
});

test.each(texts.map((golden) => [golden.name, golden] as const))("%s", async (_, golden) => {
  const model = await openGolden(golden);
  const sites = sitesOf(model.config);
  const last = sites.filter((site) => site.endsWith("hook_resid_post")).at(-1)!;
  const tokens = tinyTokens(2, 5, 1, 20);
  const before = await runWithCache(model, backend, tokens, { sites });
  const replayed = await runWithCache(model, backend, tokens, {
    sites,
    interventions: [patch("**", { feed: "before" })],
    feeds: { before: before.cache },
  });
  const changed = await runWithCache(model, backend, tokens, {
    sites: [last],
    interventions: [ablate({ sites: "attn_out", positions: [1], rows: [0] })],
  });
  expect(sameBits(changed.cache[last]!, before.cache[last]!)).toBe(false);
  const after = await runWithCache(model, backend, tokens, { sites });
  for (const run of [replayed, after])
    for (const site of sites)
      expect(sameBits(run.cache[site]!, before.cache[site]!), site).toBe(true);
});
