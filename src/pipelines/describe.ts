// Pages of a dictionary that is in the project folder, as a job.
import { z } from "zod";
import type { DescribeResult } from "../analysis/describe.ts";
import { describeDictionary } from "../analysis/describe-dictionary.ts";
import type { DictionarySummary } from "../analysis/page.ts";
import { checkProvenance, provenanceOf } from "../analysis/provenance.ts";
import { type Coder, openCoder } from "../dictionaries/coder.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import type { Claim } from "../evidence/claim.ts";
import { readManifest } from "../workspace/artifact.ts";
import { layout, usualSite } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import type { JobContext } from "./events.ts";
import { claimsOf, measureLosses } from "./losses.ts";
import { describeNeuronsOf } from "./neurons.ts";
import { openStudy, type Study } from "./study.ts";

export const DescribeInputSchema = z
  .object({
    dictionary: z.string().optional(),
    /** Instead: the neurons of this model, at the site. */
    neurons: z.string().optional(),
    site: z.string().optional(),
    seed: z.number().int().nonnegative().optional(),
  })
  .refine(({ dictionary, neurons }) => (dictionary === undefined) !== (neurons === undefined), {
    message: "name either a dictionary or, with neurons, a model",
  })
  .refine(({ dictionary, site }) => dictionary === undefined || site === undefined, {
    message: "a dictionary has its own site",
  });

export async function describe(
  { dictionary, neurons, site = usualSite }: z.infer<typeof DescribeInputSchema>,
  context: JobContext,
): Promise<DictionarySummary> {
  return neurons === undefined
    ? describeKept(dictionary!, context)
    : describeNeuronsOf({ model: neurons, site }, context);
}

async function describeKept(id: string, context: JobContext): Promise<DictionarySummary> {
  const { store, workspace } = context;
  const prefix = layout.dictionary(id);
  const { parameters, seed } = await readManifest(store, prefix, { kind: "dictionary" });
  const dictionary = await loadDictionary(store, prefix);
  const { site } = dictionary.metadata;
  context.onEvent({
    type: "run-started",
    model: String(parameters.model),
    site: site ?? "",
    seed,
    dictionary: id,
    total_tokens: 0,
    stages: [{ name: "describe", total: dictionary.d_sae, unit: "features" }],
  });
  const study = await openStudy(
    { model: String(parameters.model), site: site ?? "", folder: workspace.folder },
    context,
  );
  checkProvenance(dictionary.metadata, provenanceOf(study.model, study.tokenizer), { where: id });
  const coder = await openCoder(dictionary, study.backend);
  try {
    const losses = await measureLosses(study, coder, seed, { signal: context.signal });
    const revision = ((await workspace.revision(id)) ?? 0) + 1;
    const pages = { id, revision, state: "described", claims: claimsOf(losses.claims) } as const;
    return (await writePages(study, coder, pages, context)).summary;
  } finally {
    await coder.release();
  }
}

export interface Pages {
  id: string;
  revision: number;
  state: "interim" | "described";
  claims?: Claim[];
}

/** Writes a revision of the bundle, switches to it and says so. */
export async function writePages(
  study: Study,
  coder: Coder,
  pages: Pages,
  context: JobContext,
): Promise<DescribeResult> {
  const { model, tokenizer, select, contexts, hashes } = study;
  const described = await describeDictionary(
    {
      model,
      dictionary: coder.dictionary,
      tokenizer,
      select,
      eval: study.eval,
      contexts,
      store: context.store,
      prefix: layout.bundle(pages.id),
      inputs: { reference: study.reference, ...hashes },
      version: packageVersion(),
      storeActivations: pages.state !== "interim",
      ...pages,
    },
    coder,
    study.backend,
    {
      signal: context.signal,
      onProgress: ({ done, total, unit, stage }) => {
        if (stage === "describe" && pages.state === "described")
          context.onProgress({ stage, done, total, unit });
      },
    },
  );
  const { id, revision, state } = pages;
  context.onEvent({ type: "bundle", dictionary: id, revision, state });
  return described;
}
