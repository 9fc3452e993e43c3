import { expect, test } from "vitest";
import type { ModelConfig } from "./config.ts";
import { parseConfig } from "./parse-config.ts";
import { sites } from "./site-table.ts";
import { findSite, site, siteShape, sitesOf, siteWidth } from "./sites.ts";
import { weightShapes } from "./weight-shapes.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 2,
  d_model: 6,
  n_heads: 2,
  d_head: 3,
  d_mlp: 8,
  d_vocab: 7,
  n_ctx: 5,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};

test("short names give the strings that TransformerLens uses", () => {
  expect(site("mlp_post", 0)).toBe("blocks.0.mlp.hook_post");
  expect(site("resid_post", 5)).toBe("blocks.5.hook_resid_post");
  expect(site("embed")).toBe("hook_embed");
  expect(() => site("mlp_post")).toThrow("once a layer");
  expect(() => site("mlp_psot", 0)).toThrow("no site mlp_psot");
});

test("each site of a model is found again by its string, with its layer", () => {
  expect(sitesOf(config)).toHaveLength(2 + 2 * 14);
  expect(sitesOf({ ...config, normalization: "LN" })).toHaveLength(2 + 2 * (14 + 4) + 2);
  expect(new Set(sites.map(({ hook }) => hook)).size).toBe(sites.length);
  for (const wire of sitesOf(config)) {
    const { row, layer } = findSite(config, wire);
    expect(site(row.name, layer)).toBe(wire);
  }
});

test("a site that the model lacks is refused with the reason and the nearest names", () => {
  const refusal = (wire: string) => {
    try {
      findSite(config, wire);
    } catch (error) {
      return error as { code: string; message: string; wanted: string };
    }
    throw new Error("accepted");
  };
  expect(refusal("blocks.0.ln1.hook_scale")).toMatchObject({
    code: "site/unavailable",
    message: expect.stringContaining("no norm"),
  });
  expect(refusal("blocks.2.hook_resid_pre")).toMatchObject({
    code: "site/unavailable",
    message: expect.stringContaining("no layer 2"),
  });
  const unknown = refusal("blocks.1.mlp.hook_pots");
  expect(unknown.code).toBe("site/unknown");
  expect(unknown.wanted).toContain("blocks.1.mlp.hook_post");
  expect(refusal("hook_resid_pre").code).toBe("site/unknown");
  expect(refusal("blocks.0.hook_embed").code).toBe("site/unknown");
});

test("shapes follow the axes, and only sites with a value per token have a width", () => {
  const at = { batch: 3, pos: 4 };
  expect(siteShape(config, "blocks.0.attn.hook_pattern", at)).toEqual([3, 2, 4, 4]);
  expect(siteShape(config, "blocks.0.attn.hook_z", at)).toEqual([3, 4, 2, 3]);
  expect(siteWidth(config, "blocks.1.mlp.hook_post")).toBe(8);
  expect(siteWidth(config, "blocks.1.attn.hook_z")).toBe(6);
  expect(() => siteWidth(config, "blocks.0.attn.hook_pattern")).toThrow("no value per token");
});

test("a config that we would compute wrongly is refused", () => {
  expect(parseConfig({ ...config }, "x")).toEqual(config);
  for (const change of [
    { act_fn: "elu" },
    { normalization: "batch" },
    { positions: "rotary" },
    { n_layers: 0 },
    { d_model: "6" },
    { attn_scale: "2" },
    { attn_bias: 2 },
    { window_layers: [true] },
    { n_key_value_heads: 3 },
    { name: 3 },
  ])
    expect(() => parseConfig({ ...config, ...change }, "x")).toThrow();
  expect(Object.keys(weightShapes({ ...config, normalization: "LN" }))).toContain("blocks.1.ln2.b");
});
