// Do hooks reach into encoders of texts as into decoders, and refuse what an encoder lacks?
import { afterAll, expect, test } from "vitest";
import { MicrographiaError } from "../base/errors.ts";
import { openModel, runEncoder, sitesOf } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { ablate, patch } from "./interventions.ts";
import { sameBits } from "./tiny.fixture.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const bert = await openModel("test/golden/encoders/bert", { tokenizer: null });
const clip = await openModel("test/golden/encoders/clip", { tokenizer: null, tower: "text" });
const tokens = tensor("int32", [2, 5], Int32Array.of(7, 9, 3, 8, 4, 5, 5, 31, 2, 40));

test("BERT is recorded, replayed, changed and left as it was, to the bit", async () => {
  const sites = sitesOf(bert.config);
  const before = await runWithCache(bert, backend, tokens, { sites, logits: true });
  const { outputs } = await runEncoder(bert, backend, { tokens });
  expect(sameBits(before.logits!, outputs.logits!)).toBe(true);
  const replayed = await runWithCache(bert, backend, tokens, {
    logits: true,
    interventions: [patch("**.hook_{q,k,v,pattern,mlp_out,post,scale}", { feed: "before" })],
    feeds: { before: before.cache },
  });
  expect(sameBits(replayed.logits!, before.logits!)).toBe(true);
  const without = await runWithCache(bert, backend, tokens, {
    interventions: [ablate("blocks.0.hook_mlp_out")],
  });
  expect(sameBits(without.logits!, before.logits!)).toBe(false);
  const after = await runWithCache(bert, backend, tokens, { sites, logits: true });
  expect(sameBits(after.logits!, before.logits!)).toBe(true);
});

test("an encoder without logits is recorded all the same, and logits are refused", async () => {
  const { cache } = await runWithCache(clip, backend, tokens, { sites: ["hook_ln_final"] });
  const { outputs } = await runEncoder(clip, backend, { tokens });
  expect(sameBits(cache.hook_ln_final!, outputs.hidden!)).toBe(true);
  const refused = await runWithCache(clip, backend, tokens, { logits: true }).catch((e) => e);
  expect(refused).toBeInstanceOf(MicrographiaError);
  expect(refused.code).toBe("model/encoder");
});
