// When a control's figures arrive: a new revision with them filled in, without encoding anything again.
import { type Context, throwIfStopped } from "../base/progress.ts";
import { type Claim, claim } from "../evidence/claim.ts";
import type { ControlFigures, PairKey } from "../evidence/control.ts";
import type { Store } from "../storage/store.ts";
import { bundleWriter } from "./bundle.ts";
import { openBundle } from "./bundle-read.ts";
import { nameOf, statementOf } from "./name.ts";
import type { Band, DictionarySummary, FeaturePage, FeatureRow } from "./page.ts";
import { matchedShape, rowOf } from "./pages.ts";

/**
 * Writes revision + 1 beside the current one and switches to it; activations stay where they are. `claims`
 * replaces the dictionary's own, whose controls come from elsewhere.
 */
export async function applyControl(
  store: Store,
  prefix: string,
  control: ControlFigures,
  { claims, version }: { claims?: Claim[]; version?: string } = {},
  context: Context = {},
): Promise<DictionarySummary> {
  const bundle = await openBundle(store, prefix);
  const revision = bundle.revision + 1;
  const d_sae = bundle.summary.d_sae;
  const fast = { schema: false };
  const old = await bundle.rows();
  const names = old.map((row) => row.name);
  const renamed = new Map<number, string | null>();
  // Names follow verdicts, and pages name their neighbours: names first.
  for (const row of old) {
    const page = row.reading === null ? null : await bundle.readPage(row.index, fast);
    if (page === null) continue;
    const name = withControl(page, control, revision).name;
    if (name !== names[row.index]) renamed.set(row.index, name);
    throwIfStopped(context);
  }
  const writer = await bundleWriter(store, prefix, revision);
  const rows: FeatureRow[] = [];
  for (let f = 0; f < d_sae; f++) {
    throwIfStopped(context);
    const page = withControl(await bundle.readPage(f, fast), control, revision);
    page.nearest = page.nearest.map((near) => ({
      ...near,
      name: renamed.has(near.index) ? renamed.get(near.index)! : near.name,
    }));
    rows.push(rowOf(page));
    await writer.page(page);
    context.onProgress?.({ stage: "control", done: f + 1, total: d_sae, unit: "features" });
  }
  const summary: DictionarySummary = {
    ...bundle.summary,
    revision,
    state: "controlled",
    claims: claims ?? bundle.summary.claims,
  };
  const { activations } = bundle.manifest.parameters;
  await writer.finish({
    rows,
    summary,
    activationsOf: activations ?? undefined,
    inputs: bundle.manifest.inputs,
    version,
  });
  return summary;
}

/** The page with every control in its place, and verdicts, name and statement made anew. */
export function withControl(
  page: FeaturePage,
  control: ControlFigures,
  revision: number,
): FeaturePage {
  const judged = (of: Claim, context: string): Claim => {
    const { verdict: _, ...parts } = of;
    const found = control.contexts[context]?.figures[of.metric as PairKey];
    return claim({ ...parts, control: found ?? parts.control });
  };
  const contexts = page.contexts.map((reading) => ({
    ...reading,
    r: judged(reading.r, reading.context),
    r_given_token: judged(reading.r_given_token, reading.context),
    precision: judged(reading.precision, reading.context),
    recall: judged(reading.recall, reading.context),
  }));
  const best = page.best_context;
  const claims = best === null ? page.claims : page.claims.map((c) => judged(c, best));
  const beside = best === null ? undefined : control.contexts[best];
  const withBand = <B extends Band>(band: B, share: Band["control"] | undefined): B => ({
    ...band,
    control: share ?? null,
  });
  const weakest = page.intervals.length - 1;
  const next: FeaturePage = {
    ...page,
    revision,
    claims,
    contexts,
    activation: { ...page.activation, control: matchedShape(control, page.density.value) },
    // Stored strongest first; controls are weakest first.
    intervals: page.intervals.map((band, i) => withBand(band, beside?.bands[weakest - i])),
    quantile_bands: page.quantile_bands.map((band, i) => withBand(band, beside?.quantile_bands[i])),
  };
  next.name = nameOf({
    best_context: best,
    claim: claims.find((c) => c.metric === "r_given_token") ?? null,
    characteristic: page.characteristic,
  });
  next.statement = statementOf(next);
  return next;
}
