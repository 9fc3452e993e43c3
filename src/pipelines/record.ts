// A recording as a job: texts → rows → a site's activations as shards in the project folder.
import { z } from "zod";
import { recordActivations } from "../activations/index.ts";
import { bosPolicy } from "../analysis/provenance.ts";
import { check } from "../base/errors.ts";
import { siteWidth } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import type { Document } from "../text/document.ts";
import { packRows } from "../text/pack.ts";
import { fileDocuments } from "../text/sources/files.ts";
import { hashOf } from "../workspace/artifact.ts";
import { idPart, safeId } from "../workspace/layout.ts";
import type { JobContext } from "./events.ts";
import { beginRows, rowLength, textLength } from "./rows.ts";
import { openModel } from "./study.ts";
import { localCorpus } from "./texts.ts";

export const RecordInputSchema = z.object({
  model: z.string(),
  /** Files, folders or globs; empty: the texts on this machine. */
  texts: z.array(z.string()).default([]),
  site: z.string().default("blocks.0.mlp.hook_post"),
  dtype: z.enum(["float16", "float32"]).default("float16"),
  /** Stop after so many. */
  tokens: z.number().int().positive().optional(),
  seed: z.number().int().nonnegative().optional(),
});

export interface RecordResult {
  folder: string;
  rows: number;
  tokens: number;
  shards: number;
  skipped: { binary: number; lines: number };
  mean_norm: number;
}

export async function record(
  { model: reference, texts, site, dtype, tokens }: z.infer<typeof RecordInputSchema>,
  context: JobContext,
): Promise<RecordResult> {
  const { model, tokenizer } = await openModel(reference, context.workspace.folder);
  siteWidth(model.config, site);
  const skipped = { binary: 0, lines: 0 };
  const { name } = model.config;
  const n_ctx = rowLength(model.config);
  context.onEvent({
    type: "run-started",
    model: name,
    site,
    seed: 0,
    total_tokens: tokens ?? 0,
    stages: [{ name: "record", total: tokens, unit: "tokens" }],
  });
  const documents =
    texts.length > 0
      ? fileDocuments(texts, {}, skipped, { signal: context.signal })
      : (await localCorpus(0, { signal: context.signal })).documents;
  const kept: Document[] = [];
  // Six characters a token is more than any language needs: rows are cut to size below.
  let characters = 6 * (tokens ?? Number.POSITIVE_INFINITY);
  for await (const document of documents) {
    kept.push(document);
    characters -= document.text.length;
    if (characters < 0) break;
  }
  const text = packRows(tokenizer, kept, { n_ctx: textLength(n_ctx, tokenizer) });
  const packed = beginRows(text, tokenizer);
  const rows = Math.min(packed.rows, Math.ceil((tokens ?? packed.tokens.length) / n_ctx));
  check(rows > 0, "text/empty", "there is no text to record", { got: texts.join(", ") });
  const tokensRead = packed.tokens.subarray(0, rows * n_ctx);
  // Of another model in the same place, or of other texts, the recording lies elsewhere.
  const { buffer, byteOffset, byteLength } = tokensRead;
  const read = hashOf(new Uint8Array(buffer, byteOffset, byteLength));
  const made = hashOf({ model: model.hash, tokenizer: tokenizer.hash, read }).slice(0, 8);
  const part = `${idPart(name)}-${site.replaceAll(".", "-")}-${dtype}-${made}`;
  const prefix = `activations/${safeId(part)}`;
  const manifest = await recordActivations(
    model,
    // A long job: weights that stay in their files are worth a packed copy.
    ortBackend({ threads: context.threads, prepack: true }),
    { ...packed, rows, tokens: tokensRead },
    { site, store: context.store, prefix: `${prefix}/`, dtype, bos_policy: bosPolicy(tokenizer) },
    context,
  );
  return {
    folder: prefix,
    rows: manifest.rows,
    tokens: manifest.tokens,
    shards: manifest.shards.length,
    skipped,
    mean_norm: manifest.moments.meanNorm,
  };
}
