// How long may a row be?
import { expect, test } from "vitest";
import { readSafetensors } from "../formats/safetensors.ts";
import { openModel } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { folderStore } from "../storage/folder.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { generate } from "./generate/generate.ts";

const folder = "test/golden/families/llama-dynamic";
const model = await openModel(folder, { tokenizer: null });
const backend = ortBackend({ threads: 1 });

test("a dynamic rotary scaling reads rows beyond n_ctx, as transformers does", async () => {
  const { tensors } = await readSafetensors(folderStore(folder), "reference.safetensors");
  const tokens = tensors["long.tokens"] as Tensor<"int32">;
  expect(tokens.shape[1]).toBeGreaterThan(model.config.n_ctx);
  const { logits } = await runWithCache(model, backend, tokens);
  const wanted = tensors["long.logits"]!.data as Float32Array;
  const far = Math.max(...wanted.map((x, i) => Math.abs(x - (logits!.data as Float32Array)[i]!)));
  expect(far).toBeLessThan(5e-5 * Math.max(1, ...wanted.map(Math.abs)));
});

test("what is longer than it stretches to is refused, and writing beyond n_ctx", async () => {
  const { n_ctx } = model.config;
  const row = (pos: number) => tensor("int32", [1, pos], new Int32Array(pos));
  await expect(runWithCache(model, backend, row(3 * n_ctx + 1))).rejects.toMatchObject({
    code: "hooks/tokens",
    wanted: `int32 [batch, pos ≤ ${3 * n_ctx}]`,
  });
  const written = generate(model, backend, [[1, 2, 3]], { max_new_tokens: n_ctx }).next();
  await expect(written).rejects.toMatchObject({ code: "generate/length" });
});
