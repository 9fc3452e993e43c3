// In every family: is each site put back by itself the same bits, and does whatever touches the model leave nothing behind?
import { afterAll, expect, test } from "vitest";
import { encoderGoldens } from "../models/encoders/parity.fixture.ts";
import { type Model, openModel, sitesOf } from "../models/index.ts";
import { goldenFolder, listGolden } from "../models/parity.fixture.ts";
import { ortBackend } from "../runtime/index.ts";
import { runWithCache } from "./capture.ts";
import {
  ablate,
  clamp,
  freeze,
  type Intervention,
  patch,
  replaceWith,
  scale,
  steer,
} from "./interventions.ts";
import { normals, sameBits, tinyTokens } from "./tiny.fixture.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const texts = (await encoderGoldens()).filter(({ tower }) => tower === "text");
const subjects = [
  ...(await listGolden()).map((name) => ({
    name,
    folder: `${goldenFolder}/${name}`,
    tower: undefined,
  })),
  ...texts.map(({ name, folder, tower }) => ({ name, folder, tower })),
];
type Cache = Awaited<ReturnType<typeof runWithCache>>["cache"];

/** One of each kind, on whatever of it the model has. */
function touches({ config }: Model, { before, other }: { before: Cache; other: Cache }) {
  const direction = normals([config.d_model], 2);
  const list: Intervention[] = [
    ablate({ sites: "z", layers: [1], heads: [0] }),
    ...(config.attn_only ? [] : [ablate("blocks.0.hook_mlp_out")]),
    steer({ sites: "resid_post", positions: [1] }, direction, 3),
    scale({ sites: "attn_out", layers: [0] }, 0.5),
    clamp({ sites: "resid_pre", layers: [1], rows: [0] }, 2, { direction }),
    patch({ sites: "resid_post", layers: [0], rows: [1] }, other),
    freeze(["patterns"], before),
  ];
  return list;
}

test.each(subjects)("$name", async ({ folder, tower }) => {
  const model = await openModel(folder, {
    tokenizer: null,
    inMemory: true,
    ...(tower && { tower }),
  });
  const sites = sitesOf(model.config);
  const last = sites.filter((site) => site.endsWith("hook_resid_post")).at(-1)!;
  const d_vocab = Math.min(20, model.config.d_vocab);
  const tokens = tinyTokens(2, 5, 1, d_vocab);
  const { cache: before } = await runWithCache(model, backend, tokens, { sites });
  const { cache: other } = await runWithCache(model, backend, tinyTokens(2, 5, 8, d_vocab), {
    sites,
  });
  const moved = (a: Cache): number =>
    before[last]!.data.reduce((most, x, i) => Math.max(most, Math.abs(x - a[last]!.data[i]!)), 0);
  for (const site of sites) {
    const by = replaceWith(site, before[site]!);
    const { cache } = await runWithCache(model, backend, tokens, { sites, interventions: [by] });
    // Put back, what heads write is summed in another order: rounding, and no bit more.
    if (site.endsWith("hook_result")) expect(moved(cache)).toBeLessThan(1e-4);
    else
      for (const read of sites)
        expect(sameBits(cache[read]!, before[read]!), `${site} → ${read}`).toBe(true);
  }
  for (const by of touches(model, { before, other })) {
    const { cache } = await runWithCache(model, backend, tokens, {
      sites: [last],
      interventions: [by],
    });
    if (by.kind === "freeze") expect(moved(cache)).toBeLessThan(1e-3);
    else expect(moved(cache), by.kind).toBeGreaterThan(1e-3);
    const { cache: after } = await runWithCache(model, backend, tokens, { sites });
    for (const read of sites) expect(sameBits(after[read]!, before[read]!), read).toBe(true);
  }
});
