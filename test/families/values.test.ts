// Does every value inside every family hold its invariant: is each site what its formula makes of the sites before it?
import { afterAll, expect, test } from "vitest";
import { sitesOf } from "../../src/models/index.ts";
import { ortBackend, referenceBackend } from "../../src/runtime/index.ts";
import { formulae } from "./formulae.ts";
import { distance, rowsOf } from "./rows.ts";
import { decoders, encoders, everything, recordedOf } from "./subjects.fixture.ts";

const ort = ortBackend({ threads: 1 });
afterAll(() => ort.release());
const subjects = [...(await decoders()), ...(await encoders())];
// What a backend may be away from the formulae, of the largest number of a site where that is above 1.
const backends = [
  { backend: ort, allowed: 2e-6 },
  { backend: referenceBackend(), allowed: 5e-7 },
];

test.each(subjects.map((subject) => [subject.name, subject] as const))("%s", async (_, subject) => {
  const model = await subject.open();
  const feeds = subject.feeds(model);
  for (const { backend, allowed } of backends) {
    const values = await everything(model, backend, feeds);
    const claims = formulae(recordedOf(model, feeds, values));
    const broken = claims.flatMap(({ rule, of, wanted }) => {
      const far = distance(rowsOf(values[of]!).data, wanted.data);
      return far <= allowed ? [] : [`${backend.name}: ${of}: ${rule}: ${far.toExponential(1)}`];
    });
    expect(broken).toEqual([]);
    // A value that moves by a thousandth is seen.
    const unseen = claims.filter(({ of, wanted }) => {
      const bent = Float64Array.from(rowsOf(values[of]!).data, (x) => 1.001 * x + 1e-4);
      return distance(bent, wanted.data) <= allowed;
    });
    expect(unseen).toEqual([]);
    // Nothing is left without a formula.
    const claimed = new Set(claims.map(({ of }) => of));
    expect(sitesOf(model.config).filter((site) => !claimed.has(site))).toEqual([]);
    if (model.config.encoder === undefined) expect(claimed.has("logits")).toBe(true);
  }
});
