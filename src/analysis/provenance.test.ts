import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import {
  editModel,
  foldNorms,
  initWeights,
  type ModelConfig,
  makeModel,
  openModel,
} from "../models/index.ts";
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

test("weights in 4-bit blocks are another dtype: a dictionary of the exact model is refused on them", async () => {
  const golden = "test/golden/checkpoints";
  const { relative } = JSON.parse(readFileSync(`${golden}/gguf-blocks.json`, "utf8"));
  const opened = { cache: false, tokenizer: null } as const;
  const exact = await openModel(`${golden}/llama-q8_0.gguf`, opened);
  const path = `${golden}/llama-q4_0.gguf`;
  const blocks = { ...opened, blocks: "read" } as const;
  const four = await openModel(path, { ...blocks, trained: `${golden}/llama-q8_0.gguf` });
  const learned = provenanceOf(exact, tokenizerOf([]));
  const now = provenanceOf(four, tokenizerOf([]));
  expect(learned.dtype).toBe("float32");
  const types = "float32 of blocks: 15 Q4_0";
  const dtype = `${types}; relative error ${relative.toPrecision(3)} to ${exact.hash.slice(0, 12)}`;
  expect(provenanceInputs(now).dtype).toBe(dtype);
  expect(() => checkProvenance({ ...learned }, now)).toThrowError(
    expect.objectContaining({ code: "dictionary/dtype", got: "float32", wanted: types }),
  );
  // With the option both stand there; a dictionary that says nothing but the hash is refused by that.
  expect(checkProvenance({ ...learned }, now, { allowOtherModel: true })).toEqual([
    `dtype: float32, not ${types}`,
    `model: ${exact.hash}, not ${four.hash}`,
  ]);
  expect(() => checkProvenance({ model_hash: exact.hash }, now)).toThrowError(
    expect.objectContaining({ code: "dictionary/model" }),
  );
  expect(checkProvenance({ ...now }, now)).toEqual([]);
  // Edits keep it; without the trained weights it says that nobody measured.
  const edited = provenanceOf(await editModel(four, [foldNorms]), tokenizerOf([]));
  expect(edited.dtype).toBe(dtype);
  const unmeasured = await openModel(path, blocks);
  const untold = provenanceOf(unmeasured, tokenizerOf([]));
  expect(untold.dtype).toBe(`${types}; error not measured`);
  expect(checkProvenance({ ...now }, untold)).toEqual([]);
});
