import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { editModel, foldNorms, initWeights, type ModelConfig, makeModel } from "../models/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { checkProvenance, provenanceInputs, provenanceOf } from "./provenance.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 16,
  d_vocab: 12,
  n_ctx: 6,
  act_fn: "gelu",
  normalization: "LN",
  positions: "learned",
};
const tokenizerOf = (before: number[]) =>
  ({ hash: "abc", policy: { before, after: [], source: "template" } }) as unknown as Tokenizer;
const model = makeModel(config, initWeights(config, random(3)));

test("a model with its norms folded says so, and a dictionary of the plain model is refused on it", async () => {
  const folded = await editModel(model, [foldNorms]);
  const plain = provenanceOf(model, tokenizerOf([]));
  const now = provenanceOf(folded, tokenizerOf([]));
  expect(plain.processing).toEqual([]);
  expect(now.processing).toEqual(["foldNorms"]);
  expect(now.model_hash).not.toBe(plain.model_hash);
  expect(provenanceInputs(now)).toMatchObject({ processing: "foldNorms", dtype: "float32" });
  expect(() => checkProvenance({ ...plain }, now, { where: "d" })).toThrowError(
    expect.objectContaining({ code: "dictionary/processing", got: "none", wanted: "foldNorms" }),
  );
  const { processing: _, ...hashOnly } = plain;
  expect(() => checkProvenance(hashOnly, now)).toThrowError(
    expect.objectContaining({ code: "dictionary/model", got: model.hash, wanted: folded.hash }),
  );
  expect(checkProvenance({ ...plain }, plain)).toEqual([]);
});

test("with the option, differences come back with both values instead", async () => {
  const now = provenanceOf(await editModel(model, [foldNorms]), tokenizerOf([1]));
  const learned = { ...provenanceOf(model, tokenizerOf([])) };
  const said = checkProvenance(learned, now, { allowOtherModel: true });
  expect(said).toEqual([
    "processing: none, not foldNorms",
    `model: ${model.hash}, not ${now.model_hash}`,
    "bos: none, not before 1",
  ]);
});

test("what an imported dictionary does not say is not compared", () => {
  expect(checkProvenance({ site: "x" }, provenanceOf(model, tokenizerOf([1])))).toEqual([]);
});
