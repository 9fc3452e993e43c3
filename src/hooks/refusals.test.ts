// Is everything that cannot fire refused, with a code and what was wanted, and everything that can, found?
import { describe, expect, test } from "vitest";
import { sitesOf } from "../models/index.ts";
import { referenceBackend } from "../runtime/index.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { matchSites } from "./globs.ts";
import type { Intervention } from "./interventions.ts";
import { normals, tinyModel, tinyTokens } from "./tiny.fixture.ts";
import { indices } from "./where.ts";

const model = tinyModel();
const plain = tinyModel(1, { normalization: "none" });
const tokens = tinyTokens(2, 5);
const backend = referenceBackend();

const refusal = (
  by: object,
  { of = model, ...handed }: { of?: typeof model; feeds?: object } = {},
) =>
  runWithCache(of, backend, tokens, {
    interventions: [by as Intervention],
    ...(handed as object),
  }).then(
    () => "accepted",
    (error) => error.code,
  );
const zero = (where: object) => ({ kind: "ablate", how: "zero", where });
const steer = (where: object, direction: object) => ({
  kind: "steer",
  direction,
  coefficient: 1,
  where,
});

describe("what cannot fire is refused:", () => {
  test.each([
    ["an unknown site", { sites: "blocks.0.hook_nothing" }, "site/unknown"],
    ["a glob that matches nothing", { sites: "blocks.*.nothing" }, "site/unknown"],
    ["a glob that is not closed", { sites: "blocks.{0,1.hook_q" }, "site/unknown"],
    ["a layer too many", { sites: "blocks.2.hook_resid_pre" }, "site/unavailable"],
    ["a layer outside", { sites: "resid_pre", layers: [2] }, "site/layer"],
    ["a layer that the glob leaves out", { sites: "blocks.0.*", layers: [1] }, "site/layer"],
    ["a layer of what has none", { sites: "embed", layers: [0] }, "site/layer"],
    ["a head outside", { sites: "z", heads: [2] }, "site/head"],
    ["heads where there are none", { sites: "resid_mid", heads: [0] }, "site/head"],
    ["a position outside", { sites: "resid_mid", positions: [5] }, "site/position"],
    ["a position before the first", { sites: "resid_mid", positions: [-6] }, "site/position"],
    ["an empty range", { sites: "resid_mid", positions: [{ from: 3, to: 3 }] }, "site/position"],
    ["keys where there are none", { sites: "z", keys: [0] }, "site/key"],
    ["a neuron outside", { sites: "mlp_post", units: [8] }, "site/unit"],
    ["units of a pattern", { sites: "pattern", units: [0] }, "site/unit"],
    ["a row outside", { sites: "resid_mid", rows: [2] }, "site/row"],
    ["a token that is not read", { sites: "resid_mid", tokens: [4096] }, "site/token"],
    ["a misspelt key", { sites: "resid_mid", postions: [1] }, "intervention/invalid"],
    ["no site at all", {}, "intervention/invalid"],
  ])("%s", async (_, where, code) => {
    expect(await refusal(zero(where))).toBe(code);
  });

  test("norms of a model without them, with the reason, by name and by glob", async () => {
    for (const sites of ["ln1_scale", "blocks.*.ln2.hook_scale", "blocks.0.ln1.hook_scale"])
      expect(await refusal(zero({ sites }), { of: plain })).toBe("site/unavailable");
    const freeze = { kind: "freeze", what: ["norms"], value: { feed: "x" } };
    expect(await refusal(freeze, { of: plain })).toBe("site/unavailable");
  });

  test("records that are wrong, and numbers that are missing or do not fit", async () => {
    const at = { sites: "blocks.0.hook_resid_post" };
    expect(await refusal({ kind: "delete", where: at })).toBe("intervention/invalid");
    expect(await refusal({ kind: "steer", direction: { values: [1] }, where: at })).toBe(
      "intervention/invalid",
    );
    expect(await refusal(steer(at, { values: [1, 2] }))).toBe("shape/intervention");
    expect(await refusal(steer(at, normals([2, 5, 7], 1)))).toBe("shape/intervention");
    expect(await refusal(steer(at, { feed: "x" }))).toBe("intervention/feed");
    expect(
      await refusal(steer(at, { feed: "x" }), { feeds: { x: { hook_embed: normals([6], 1) } } }),
    ).toBe("intervention/feed");
    expect(await refusal(steer(at, { file: "a.safetensors", tensor: "x" }))).toBe(
      "intervention/file",
    );
    const pinned = { feed: "x", hash: "0".repeat(64) };
    expect(await refusal(steer(at, pinned), { feeds: { x: normals([6], 1) } })).toBe(
      "intervention/hash",
    );
    const clamp = { kind: "clamp", what: "direction", where: at };
    expect(await refusal({ ...clamp, direction: f32([6], [0, 0, 0, 0, 0, 0]), to: 1 })).toBe(
      "intervention/invalid",
    );
    expect(await refusal({ ...clamp, direction: f32([1], [1]), to: 1 })).toBe("shape/intervention");
    expect(await refusal({ ...clamp, direction: normals([6], 1), to: { min: 2, max: 1 } })).toBe(
      "intervention/invalid",
    );
    expect(await refusal({ kind: "splice", dictionary: "d", error: "drop", where: at })).toBe(
      "intervention/splice",
    );
  });

  test("the place of a mistake is told", async () => {
    const list = [
      zero({ sites: "embed" }),
      { ...steer({ sites: "embed" }, { values: [1] }), coefficient: "2" },
    ];
    const error = await runWithCache(model, backend, tokens, {
      interventions: list as Intervention[],
    }).catch((caught) => caught);
    expect(error).toMatchObject({ code: "intervention/invalid", where: "[1].coefficient" });
  });

  test("sites that are to be read", async () => {
    const read = (sites: string[]) =>
      runWithCache(model, backend, tokens, { sites }).then(
        ({ cache }) => Object.keys(cache),
        (error) => error.code,
      );
    expect(await read(["blocks.*.hook_zz"])).toBe("site/unknown");
    expect(await read(["blocks.*.mlp.hook_post", "embed"])).toEqual([
      "hook_embed",
      "blocks.0.mlp.hook_post",
      "blocks.1.mlp.hook_post",
    ]);
  });
});

describe("globs", () => {
  const { config } = model;
  const all = sitesOf(config);

  test.each<[string | string[], (wire: string) => boolean]>([
    ["**", () => true],
    ["blocks.*.hook_resid_*", (wire) => /^blocks\.\d\.hook_resid_/.test(wire)],
    ["blocks.1.**", (wire) => wire.startsWith("blocks.1.")],
    ["**.hook_scale", (wire) => wire.endsWith(".hook_scale")],
    ["blocks.?.attn.hook_{q,k}", (wire) => /hook_[qk]$/.test(wire)],
    ["blocks.{0,1}.{ln1,ln2}.hook_normalized", (wire) => /ln[12].hook_norm/.test(wire)],
    [["mlp_post", "hook_embed"], (wire) => /mlp.hook_post|hook_embed/.test(wire)],
  ])("%s", (pattern, wanted) => {
    expect(matchSites(config, pattern)).toEqual(all.filter(wanted));
  });

  test("layers narrow them, from the end too", () => {
    expect(matchSites(config, "resid_pre", [-1])).toEqual(["blocks.1.hook_resid_pre"]);
    expect(matchSites(config, "z", [{ from: 0 }])).toHaveLength(2);
    expect(matchSites(config, "z", "all")).toHaveLength(2);
  });

  test("spans are absolute, negative, or stretches, each place once and in order", () => {
    const how = { code: "site/position", what: "position" };
    expect(indices([3, -1, { from: 1, to: 4 }, 0], 6, how)).toEqual([0, 1, 2, 3, 5]);
    expect(indices([{ from: -2 }, { from: 0, to: -4 }], 6, how)).toEqual([0, 1, 4, 5]);
    expect(indices("all", 6, how)).toBeUndefined();
  });
});

test("each axis is where it says: only what is named changes", async () => {
  const sites = ["blocks.0.attn.hook_z", "blocks.0.attn.hook_pattern", "blocks.0.mlp.hook_post"];
  const clean = (await runWithCache(model, backend, tokens, { sites })).cache;
  const ids = tokens.data as Int32Array;
  const id = ids[3]!;
  const [z, pattern, post] = (
    await Promise.all(
      [
        { sites: sites[0], heads: [1], positions: [0, -1], rows: [1] },
        { sites: sites[1], heads: [0], positions: [{ from: 2 }], keys: [0, 1] },
        { sites: sites[2], units: [-1], tokens: [id] },
      ].map((where) =>
        runWithCache(model, backend, tokens, {
          sites,
          interventions: [{ kind: "scale", factor: 10, where } as Intervention],
        }),
      ),
    )
  ).map(({ cache }, i) => cache[sites[i]!]!);
  const each = (got: Tensor, was: Tensor, meant: (at: number[]) => boolean) => {
    got.data.forEach((x, i) => {
      let rest = i;
      const at = [...got.shape].reverse().map((n) => {
        const here = rest % n;
        rest = Math.floor(rest / n);
        return here;
      });
      const factor = meant(at.reverse()) ? 10 : 1;
      expect(Number(x)).toBeCloseTo(Number(was.data[i]) * factor, 5);
    });
  };
  each(z!, clean[sites[0]!]!, ([b, p, h]) => b === 1 && (p === 0 || p === 4) && h === 1);
  each(pattern!, clean[sites[1]!]!, ([, h, q, k]) => h === 0 && q! >= 2 && k! <= 1);
  each(post!, clean[sites[2]!]!, ([b, p, u]) => ids[b! * 5 + p!] === id && u === 7);
});
