// Does `micrographia run` answer when it is asked for readings, of texts and images, and refuse by name?
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSafetensors } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { main } from "./program.ts";
import { AttentionReportSchema } from "./read-attention.ts";
import { EncoderReportSchema } from "./read-encoder.ts";
import { HeadsReportSchema } from "./read-heads.ts";
import { LensReportSchema } from "./read-lens.ts";
import { PatchReportSchema } from "./read-patch.ts";
import { readTensorFile } from "./tensor-file.ts";

const folder = mkdtempSync(join(tmpdir(), "micrographia-read-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let [out, err] = ["", ""];
beforeEach(() => {
  [out, err] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest) => {
    out += text;
    const done = rest.at(-1);
    if (typeof done === "function") done();
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  [out, err] = ["", ""];
  const code = await main(["run", ...args, "--out", join(folder, "runs")]);
  return { code, out, err };
}

async function json(...args: string[]) {
  const { code, out, err } = await run(...args, "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
}

const prompt = ["--prompt", "The court held that the"];
const clip = "test/golden/encoders/clip";
const image = `${clip}/image.safetensors`;
const pixels = ["--pixels", `${image}#in:pixels`];

test("several readings are one document; what was read is in it too", async () => {
  const corrupt = ["--corrupt", "The judge said that the", "--answer", "·cour"];
  const found = await json("field-1l", ...prompt, "--lens", ...corrupt, "--patch", "z");
  expect(found).toMatchObject({ model: "field-1l", interventions: [] });
  expect(found.loss.clean).toHaveLength(7);
  const { lens, patching, ...rest } = found.readings;
  expect(rest).toEqual({});
  LensReportSchema.parse(lens);
  const { right, sweeps } = PatchReportSchema.parse(patching);
  expect(right.text).toBe(" cour");
  expect(sweeps.map(({ site }) => site)).toEqual(["z", "z"]);
});

test("readings of weights need no prompt, and only they are shown", async () => {
  const { model, readings } = await json("field-1l", "--heads");
  expect(model).toBe("field-1l");
  expect(HeadsReportSchema.parse(readings.heads).heads).toHaveLength(4);
  const { out } = await run("field-1l", ...prompt, "--attention", "0.1");
  expect(out).toMatch(/^field-1l: 7 tokens\n\nattention /);
  const both = await run("field-1l", ...prompt, "--attention", "0.1", "--site", "resid_post");
  expect(both.out).toMatch(
    /next token[\s\S]*blocks\.0\.hook_resid_post[\s\S]*attention {3}queries/,
  );
});

test("CLIP's towers: outputs and attention are Hugging Face's, beside shuffled input", async () => {
  const { tensors } = await readSafetensors(folderStore(clip), "image.safetensors");
  const first = (name: string) => {
    const { data, shape } = tensors[name]! as Tensor<"float32">;
    return data.subarray(0, data.length / shape[0]!);
  };
  const found = await json(clip, "--tower", "image", ...pixels, "--attention", "1.2");
  const { readings, ...report } = found;
  const { outputs, reads } = EncoderReportSchema.parse(report);
  expect(reads).toBe("image");
  for (const { output, length, shuffled } of outputs) {
    expect(length).toBeCloseTo(Math.hypot(...first(`out:${output}`)), 3);
    expect(shuffled.value).toBeLessThan(1);
  }
  const { heads, grid, causal } = AttentionReportSchema.parse(readings.attention);
  expect({ grid, causal }).toEqual({ grid: [3, 3], causal: false });
  const wanted = first("site:blocks.1.attn.hook_pattern").subarray(200, 300);
  expect(heads).toHaveLength(1);
  for (const [i, p] of heads[0]!.pattern.flat().entries()) expect(p).toBeCloseTo(wanted[i]!, 5);
  const text = await json(clip, "--tower", "text", "--prompt", "7,9,3,40", "--attention");
  expect(text).toMatchObject({ reads: "text", tokens: [{ id: 7, text: "#7" }, {}, {}, {}] });
  expect(text.readings.attention.heads).toHaveLength(4);
});

test("an image from NumPy is the image from safetensors", async () => {
  const { shape, data } = await readTensorFile(`${image}#in:pixels`);
  const one = data.slice(0, data.length / 2);
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.slice(1).join(", ")}), }\n`;
  const npy = new Uint8Array(10 + header.length + 4 * one.length);
  npy.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0]);
  npy.set(new TextEncoder().encode(header), 10);
  npy.set(new Uint8Array(one.buffer), 10 + header.length);
  const file = join(folder, "image.npy");
  writeFileSync(file, npy);
  const [a, b] = [["--pixels", file], pixels];
  const asked = [clip, "--tower", "image", "--site", "resid_post"];
  expect(await json(...asked, ...a)).toEqual(await json(...asked, ...b));
  const shown = await run(...asked, ...a);
  expect(shown.out).toMatch(/^clip: 9 patches\n\noutput/);
  expect(shown.out).toMatch(/blocks\.2\.hook_resid_post .*\nclass [\d.]+; patches, from 0 to /);
  for (const [cut, why] of [
    [npy.subarray(0, npy.length - 4), "format/npy"],
    [npy.subarray(0, 9), "format/npy"],
    [new Uint8Array(64), "format/npy"],
  ] as const) {
    writeFileSync(file, cut);
    const { code, err } = await run(...asked, ...a);
    expect(code).toBe(2);
    expect(err).toContain(why);
  }
});

test.each([
  [["field-1l"], "--prompt TEXT"],
  [["field-1l", "--attribution"], "--prompt TEXT"],
  [["field-1l", ...prompt, "--attention", "1"], "there is no such head"],
  [["field-1l", ...prompt, "--attribution", "--answer", "court held"], "is not one token"],
  [["field-1l", ...prompt, "--corrupt", "The judge"], "text/length"],
  [["field-1l", ...prompt, "--corrupt", "The court held that the"], "circuits/pairs"],
  [
    ["field-1l", ...prompt, "--corrupt", "The judge said that the", "--patch", "pattern"],
    "site/axes",
  ],
  [["field-1l", ...prompt, "--lens", "--ablate", "mlp_out"], "reads the model as it is"],
  [["field-1l", ...prompt, "--layers", "x"], "It must be layers"],
  [["field-1l", "--pixels", "x.npy"], "reads no images"],
  [["field-1l", ...prompt, "--paths"], "--corrupt"],
  [[clip, "--prompt", "1"], "model/tower"],
  [[clip, "--tower", "image", "--prompt", "1"], "this model reads images"],
  [[clip, "--tower", "image", "--pixels", `${image}#out:pooled`], "model/image"],
  [[clip, "--tower", "text", "--prompt", "1,40", "--lens"], "an encoder does not say"],
  [["test/golden/encoders/bert", "--prompt", "1,2", "--strip", "loss"], "what comes next"],
  [[clip, "--tower", "sound", "--prompt", "1"], "Allowed choices"],
])("%j is refused: %s", async (args, why) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(why);
});
