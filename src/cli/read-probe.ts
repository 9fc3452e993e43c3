// run --probe: after which layer could a linear probe read a label off the activations?
import { z } from "zod";
import { check, fail } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { probeWithControl } from "../circuits/index.ts";
import { EstimateSchema, VerdictSchema } from "../evidence/claim.ts";
import { type Cache, runWithCache } from "../hooks/index.ts";
import type { Model } from "../models/index.ts";
import { beginRows, textLength } from "../pipelines/rows.ts";
import { tensor } from "../tensor/tensor.ts";
import { packRows, readFieldGuide, type TokenRows } from "../text/index.ts";
import { parseLabelled } from "../text/labelled.ts";
import { spreadRows } from "../text/pack.ts";
import { hundredths, number } from "./format.ts";
import { aligned } from "./picture.ts";
import { type Reading, type Session, shownLayers } from "./read-session.ts";
import { textOf } from "./tensor-file.ts";

export const ProbeReportSchema = z.strictObject({
  labels: z.array(z.string()),
  /** Control tasks: the same probe on labels that each token type has by chance. */
  tasks: z.int(),
  /** Tokens that the probe learned from. */
  n_select: z.int(),
  /** Tokens of other texts that it is judged on. */
  n_eval: z.int(),
  n_documents: z.int(),
  /** Shares of the tokens judged, with 95 % intervals over texts. */
  sites: z.array(
    z.strictObject({
      site: z.string(),
      accuracy: EstimateSchema,
      control: EstimateSchema,
      selectivity: EstimateSchema,
      majority: EstimateSchema,
      tokenTable: EstimateSchema,
      verdict: VerdictSchema,
    }),
  ),
});
export type ProbeReport = z.infer<typeof ProbeReportSchema>;

/** What `--probe` alone reads: the texts that come with the program, by what they are. */
export const bundled = "contexts";
const longest = 128;
/** Values of both splits at all sites that are held at once. */
const heldBytes = 256 * 2 ** 20;
const mostTokens = 8000;

export const probeReading: Reading<ProbeReport> = {
  name: "probe",
  asked: ({ probe }) => probe !== undefined,
  async read(session) {
    const { model, options } = session;
    const { seed, probe } = options;
    const last = shownLayers(session).map((layer) => `blocks.${layer}.hook_resid_post`);
    const sites = ["blocks.0.hook_resid_pre", ...last];
    const { labels, select, judged } = await splitsOf(model, probe!, seed);
    const most = Math.min(
      mostTokens,
      Math.floor(heldBytes / (8 * model.config.d_model * sites.length)),
    );
    const [learned, tested] = [
      await read(session, spreadRows(select, Math.floor(most / select.n_ctx)), labels, sites),
      await read(session, spreadRows(judged, Math.floor(most / judged.n_ctx)), labels, sites),
    ];
    const found = sites.map((site) => {
      const [from, on] = [learned, tested].map(({ acts, ...rest }) => ({
        ...rest,
        acts: acts[site]!,
      }));
      const asked = { n_labels: labels.length, limit: from!.labels.length, seed };
      return { site, ...probeWithControl(from!, on!, asked) };
    });
    const { tasks, n_select, n_eval, n_documents } = found[0]!;
    return {
      labels,
      tasks,
      n_select,
      n_eval,
      n_documents,
      sites: found.map(
        ({ site, accuracy, control, selectivity, majority, tokenTable, verdict }) => ({
          site,
          accuracy,
          control,
          selectivity,
          majority,
          tokenTable,
          verdict,
        }),
      ),
    };
  },
  lines({ labels, tasks, n_select, n_eval, n_documents, sites }) {
    const { tokenTable, majority } = sites[0]!;
    return [
      `probe   share of tokens whose label, one of ${labels.length}, a linear probe tells`,
      `learned from ${number(n_select)} tokens, judged on ${number(n_eval)} others of ${n_documents} texts (95 %)`,
      `control: the same probe on labels that each token has by chance, ${tasks} times`,
      "",
      ...aligned([
        ["", "accuracy", "control", "selectivity", ""],
        ...sites.map(({ site, accuracy, control, selectivity, verdict }) => [
          placeOf(site),
          range(accuracy),
          range(control),
          range(selectivity),
          verdict,
        ]),
        ["the token alone", range(tokenTable), "", "", ""],
        ["the commonest label", range(majority), "", "", ""],
      ]).map((line) => line.trimEnd()),
    ];
  },
};

function range({ value, low, high }: z.infer<typeof EstimateSchema>): string {
  const within = low === null ? "" : ` (${hundredths(low)} to ${hundredths(high!)})`;
  return hundredths(value) + within;
}

const placeOf = (site: string): string =>
  site.endsWith("resid_pre") ? "before layer 0" : `after layer ${site.split(".")[1]}`;

interface Splits {
  labels: string[];
  select: TokenRows;
  judged: TokenRows;
}

async function splitsOf({ tokenizer, config }: Model, from: string, seed: number): Promise<Splits> {
  if (tokenizer === undefined)
    return fail("model/tokenizer", "--probe reads texts, which this model cannot", {
      where: config.name,
    });
  const documents =
    from === bundled
      ? await readFieldGuide()
      : parseLabelled(await textOf(from), { where: from, seed });
  const labels = [
    ...new Set(
      documents.flatMap(({ context, spans = [] }) => [context, ...spans.map((s) => s.context)]),
    ),
  ].sort();
  check(labels.length > 1, "text/labels", "a probe tells labels apart", {
    where: from,
    got: labels.length === 0 ? "no labelled texts" : `one label: ${labels[0]}`,
    wanted: "two or more",
  });
  const packed = (split: string): TokenRows => {
    const own = documents.filter((document) => document.split === split);
    check(own.length > 0, "text/labels", "a probe learns from some texts and is judged on others", {
      where: from,
      got: `no text to ${split === "select" ? "learn from" : "judge on"}`,
      wanted: "two texts of each label",
    });
    const most = own.reduce(
      (most, { text }) => (most >= longest ? most : Math.max(most, tokenizer.encode(text).length)),
      0,
    );
    const n_ctx = Math.min(longest, config.n_ctx, most + 1 + tokenizer.policy.before.length);
    const rows = packRows(
      tokenizer,
      random(seed)
        .stream(split)
        .shuffle([...own]),
      {
        n_ctx: textLength(n_ctx, tokenizer),
        contexts: labels,
        wholeDocs: true,
      },
    );
    return beginRows(rows, tokenizer);
  };
  return { labels, select: packed("select"), judged: packed("eval") };
}

interface Labelled {
  acts: Record<string, Float32Array>;
  labels: Uint16Array;
  tokens: Int32Array;
  doc: Int32Array;
}

/** Every site's values at the tokens that have a label. */
async function read(
  { model, backend }: Session,
  { rows, n_ctx, tokens, context, doc }: TokenRows,
  labels: readonly string[],
  sites: readonly string[],
): Promise<Labelled> {
  const batch = tensor("int32", [rows, n_ctx], tokens);
  const { cache }: { cache: Cache } = await runWithCache(model, backend, batch, { sites });
  const kept = Array.from(context.keys()).filter((t) => context[t]! < labels.length);
  const d = model.config.d_model;
  const acts = Object.fromEntries(
    sites.map((site) => {
      const all = cache[site]!.data as Float32Array;
      const own = new Float32Array(kept.length * d);
      for (const [i, t] of kept.entries()) own.set(all.subarray(t * d, (t + 1) * d), i * d);
      return [site, own];
    }),
  );
  return {
    acts,
    labels: Uint16Array.from(kept, (t) => context[t]!),
    tokens: Int32Array.from(kept, (t) => tokens[t]!),
    doc: Int32Array.from(kept, (t) => doc[t]!),
  };
}
