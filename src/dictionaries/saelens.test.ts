import { describe, expect, it } from "vitest";
import { saelensFixture } from "../../scripts/golden/saelens-fixture.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { ortBackend } from "../runtime/ort.ts";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import { getText, putJson } from "../storage/store.ts";
import { openCoder } from "./coder.ts";
import { loadDictionary, saveDictionary } from "./saelens.ts";

// Written by SAELens 6.54.12: scripts/golden/saelens_topk.py.
const golden = folderStore("test/golden/saelens");
const backend = ortBackend();

describe("dictionaries in SAELens' layout", () => {
  it("are saved as the files that SAELens was given, byte for byte", async () => {
    const store = memoryStore();
    await saveDictionary(store, "ours", saelensFixture());
    for (const key of ["ours/cfg.json", "ours/sae_weights.safetensors"])
      expect(Buffer.from(await store.get(key))).toEqual(Buffer.from(await golden.get(key)));
  });

  it.each([
    ["ours", "ours"],
    ["theirs", "ours"],
    ["rescaled", "rescaled"],
    ["no_input_bias", "no_input_bias"],
  ])("%s encode and decode as SAELens does, to 1e-5", async (folder, name) => {
    const { tensors } = await readSafetensors(golden, "expected.safetensors");
    const dictionary = await loadDictionary(golden, folder);
    const coder = await openCoder(dictionary, backend);
    const rows = await coder.encode(tensors.x!.data as Float32Array);
    const acts = new Float32Array(rows.n_tokens * dictionary.d_sae);
    rows.value.forEach((v, p) => {
      if (v > 0) acts[Math.floor(p / rows.k) * dictionary.d_sae + rows.index[p]!] = v;
    });
    const far = (a: Float32Array, b: Float32Array) =>
      a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
    expect(far(acts, tensors[`${name}.acts`]!.data as Float32Array)).toBeLessThan(1e-5);
    expect(far(coder.decode(rows), tensors[`${name}.out`]!.data as Float32Array)).toBeLessThan(
      1e-5,
    );
    await coder.release();
  });

  it("keep what is known about the origin", async () => {
    for (const folder of ["ours", "theirs"])
      expect((await loadDictionary(golden, folder)).metadata).toMatchObject({
        model: "field-1l",
        site: "blocks.0.mlp.hook_post",
        seed: 41,
      });
  });

  it.each([
    [{ architecture: "gated" }, "format/saelens-architecture"],
    [{ normalize_activations: "layer_norm" }, "format/saelens"],
    [{ reshape_activations: "hook_q" }, "format/saelens"],
    [{ metadata: { sae_lens_version: "5.9.0" } }, "format/saelens"],
    [{ metadata: undefined }, "format/saelens"],
    [{ d_sae: 25 }, "dictionary/shape"],
    [{ k: 0 }, "dictionary/size"],
    [{ d_in: "nine" }, "dictionary/size"],
  ])("refuse %o with %s", async (change, code) => {
    const store = memoryStore();
    const weights = await golden.get("ours/sae_weights.safetensors");
    await store.put("bad/sae_weights.safetensors", weights);
    const config = JSON.parse(await getText(golden, "ours/cfg.json"));
    await putJson(store, "bad/cfg.json", { ...config, ...change });
    await expect(loadDictionary(store, "bad")).rejects.toMatchObject({ code });
  });

  it("refuse what is not JSON, and weights that are missing", async () => {
    const store = memoryStore();
    await store.put("a/cfg.json", new TextEncoder().encode("{"));
    await expect(loadDictionary(store, "a")).rejects.toMatchObject({ code: "format/saelens" });
    await store.put("b/cfg.json", await golden.get("ours/cfg.json"));
    await expect(loadDictionary(store, "b")).rejects.toMatchObject({ code: "storage/missing" });
    await expect(loadDictionary(store, "c")).rejects.toMatchObject({ code: "storage/missing" });
  });
});
