// Does `micrographia run` tell what the model does, beside what was changed and what chance would have done?
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { lossWith } from "../hooks/index.ts";
import { loadOrganism } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { f32 } from "../tensor/tensor.ts";
import { heatMap, sideBySide, strip, tokenLabel } from "./picture.ts";
import { main } from "./program.ts";
import type { RunReport } from "./run-report.ts";

const folder = mkdtempSync(join(tmpdir(), "micrographia-run-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest) => {
      out += text;
      const done = rest.at(-1);
      if (typeof done === "function") done();
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += text;
      return true;
    }),
  ];
  try {
    const code = await main([...args, "--out", join(folder, "runs")]);
    return { code, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const prompt = "The court held that the";
const run = async (...args: string[]): Promise<RunReport> => {
  const { code, out, err } = await cli("run", "field-1l", "--prompt", prompt, "--json", ...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out);
};
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe("run", () => {
  test("tells the losses of the model, and its next tokens", async () => {
    const model = await loadOrganism("field-1l");
    const tokens = model.tokenizer!.encode(prompt);
    const rows = { n_ctx: tokens.length, rows: 1, tokens };
    const { ce } = await lossWith(model, ortBackend({ threads: 1 }), rows);
    const report = await run("--site", "blocks.*.attn.hook_pattern", "--top", "3");
    expect(report.tokens.map(({ text }) => text).join("")).toBe(prompt);
    expect(report.loss.clean[0]).toBeNull();
    report.loss.clean.slice(1).forEach((loss, i) => {
      expect(loss).toBeCloseTo(ce[i]!, 4);
    });
    expect(report.next).toHaveLength(3);
    expect(report).toMatchObject({ interventions: [], hash: null, effect: null, control: null });
    const [pattern] = Object.values(report.sites);
    for (const row of pattern!.pattern!.clean.flat())
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  });

  test("puts what was changed beside what was", async () => {
    const { effect, loss, next, sites, hash } = await run(
      "--ablate",
      "blocks.0.hook_mlp_out",
      "--site",
      "mlp_out",
    );
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    const rises = loss.changed!.slice(1).map((x, i) => x! - loss.clean[i + 1]!);
    expect(effect!.dCE).toBeCloseTo(rises.reduce((a, b) => a + b) / rises.length, 5);
    expect(effect!.kl).toBeGreaterThan(0.01);
    for (const one of next) expect(one.changed).not.toBe(one.clean);
    const norms = sites["blocks.0.hook_mlp_out"]!.norms!;
    expect(Math.min(...norms.clean)).toBeGreaterThan(0);
    expect(norms.changed!.every((norm) => norm === 0)).toBe(true);
  });

  test("another prompt patched into the last stream is that prompt", async () => {
    const list = [
      { kind: "patch", value: { feed: "other" }, where: { sites: "resid_post", positions: [-1] } },
    ];
    // The whole words of another text, cut to as many tokens.
    const { tokenizer } = await loadOrganism("field-1l");
    const n = tokenizer!.encode(prompt).length;
    const ids = tokenizer!.encode("It was the best of times, it was the worst of times");
    const padded = tokenizer!.decode(ids.subarray(0, n));
    const changed = await run(
      "--intervene",
      file("patch.json", JSON.stringify(list)),
      "--feed",
      `other=${padded}`,
    );
    const { out } = await cli("run", "field-1l", "--prompt", padded, "--json");
    const there: RunReport = JSON.parse(out);
    for (const { id, clean } of there.next)
      expect(changed.next.find((one) => one.id === id)?.changed).toBeCloseTo(clean, 5);
  });

  test("steering stands beside random directions, and by nothing does nothing", async () => {
    const direction = f32(
      [128],
      Float32Array.from({ length: 128 }, (_, i) => Math.sin(i)),
    );
    const path = file("d.safetensors", encodeSafetensors({ up: direction, down: direction }));
    const still = await run("--steer", `blocks.0.hook_resid_post:0:${path}#up`);
    expect(still.effect).toMatchObject({ kl: 0, dCE: 0, turned: 0 });
    expect(still.control!.most).toMatchObject({ kl: 0, turned: 0 });
    const steered = await run("--steer", `blocks.0.hook_resid_post:-2:${path}#up`);
    const { control, effect } = steered;
    expect(control!.directions).toBe(8);
    expect(effect!.kl).toBeGreaterThan(0);
    expect(control!.least.kl).toBeLessThan(control!.mean.kl);
    expect(control!.mean.kl).toBeLessThan(control!.most.kl);
    const list = file("direction.json", JSON.stringify([...direction.data]));
    const same = await run("--steer", `blocks.0.hook_resid_post:-2:${list}`);
    expect(same).toMatchObject({ hash: steered.hash, effect, control });
    const which = await cli("run", "field-1l", "--prompt", "a", "--steer", `embed:1:${path}`);
    expect(which.code).toBe(2);
    expect(which.err).toContain("#up");
  });

  test.each([
    [["--ablate", "blocks.7.hook_mlp_out"], "site/unavailable"],
    [["--ablate", "blocks.*.ln1.hook_scale"], "this model has no"],
    [["--site", "nowhere"], "site/unknown"],
    [["--steer", "embed:much:x.json"], "option/unknown"],
    [["--feed", "other"], "option/unknown"],
  ])("%j is refused: %s", async (args, why) => {
    const { code, out, err } = await cli("run", "field-1l", "--prompt", "a", ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(why);
  });
});

test("info lists a model's sites with axes, width, layers, and why others are lacking", async () => {
  const { out } = await cli("info", "field-1l");
  expect(out).toMatch(/^blocks\.\*\.mlp\.hook_post +batch × pos × d_mlp +512 +0 +neurons$/m);
  expect(out).toMatch(/^blocks\.\*\.ln1\.hook_scale +this model has no/m);
  const { sites } = JSON.parse((await cli("info", "field-1l", "--json")).out);
  expect(sites).toContainEqual({
    site: "blocks.0.attn.hook_pattern",
    axes: ["batch", "head", "query", "key"],
    width: 4,
    available: true,
  });
});

describe("pictures", () => {
  test("bars stand below their tokens, as wide as they are, on one scale", () => {
    const lines = strip(
      ["·a", "東京", "x"],
      [
        { label: "loss", values: [0, 4, 8] },
        { label: "KL", values: [Number.NaN, 8, 2] },
      ],
    );
    expect(lines).toEqual(["      ·a 東京 x", "loss  ▁▁ ▅▅▅▅ █", "KL       ████ ▃"]);
  });

  test("long texts are broken where the line ends", () => {
    const tokens = Array.from({ length: 30 }, (_, i) => `t${i}`);
    const lines = strip(tokens, [{ label: "x", values: tokens.map((_, i) => i) }], 40);
    expect(lines.length).toBeGreaterThan(2);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(
      lines
        .filter((_, i) => i % 2 === 0)
        .join(" ")
        .split(/ +/)
        .filter(Boolean),
    ).toEqual(tokens);
  });

  test("attention is blocks: nothing above the diagonal, full where all of it goes", () => {
    const map = heatMap([
      [1, 0, 0],
      [0.5, 0.5, 0],
      [0, 0.1, 0.9],
    ]);
    expect(map).toEqual(["██    ", "▒▒▒▒  ", "  ░░██"]);
    expect(
      sideBySide(
        [
          { title: "head 0", lines: map },
          { title: "head 1", lines: map },
        ],
        20,
      ),
    ).toEqual(["head 0  head 1", "██      ██", "▒▒▒▒    ▒▒▒▒", "  ░░██    ░░██"]);
    const long = Array.from({ length: 100 }, (_, q) =>
      Array.from({ length: 100 }, (_, k) => Number(q === k)),
    );
    expect(heatMap(long)).toHaveLength(34);
  });

  test("tokens are visible, whatever they are", () => {
    expect(tokenLabel({ text: " a\n" })).toBe("·a⏎");
    expect(tokenLabel({ text: "\ufffd", hex: "E69D" })).toBe("\\xE6\\x9D");
    expect(tokenLabel({ text: "", special: "<|endoftext|>" })).toBe("<|endoftext|>");
    expect(tokenLabel({ text: "\u001b[2J" })).toBe("¿[2J");
  });
});
