// A text of one's own: which features fire at each of its tokens.
import { z } from "zod";
import { PromptReplySchema, PromptRequestSchema } from "../../api/schemas.ts";
import type { PromptReply } from "../../api/types.ts";
import { fail } from "../../base/errors.ts";
import type { OpenedBundle, Shelf } from "../bundles.ts";
import type { PromptReader, Reading } from "../prompt.ts";
import { type App, route } from "../route.ts";

export function promptRoutes(
  app: App,
  { shelf, prompt }: { shelf: Shelf; prompt: PromptReader | undefined },
): void {
  route(
    app,
    {
      method: "post",
      path: "/api/dictionaries/{id}/prompt",
      summary: "Read a text: the strongest features, the loss and what is expected at each token",
      params: z.object({ id: z.string() }),
      body: PromptRequestSchema,
      reply: PromptReplySchema,
    },
    async ({ params, body }) => {
      const opened = await shelf.get(params.id);
      if (prompt === undefined) return fail("request/busy", "this server does not read prompts");
      const { manifest, summary } = opened.bundle;
      const { model, id, unit, site, threshold } = summary;
      const reading = await prompt.read({
        model: manifest?.inputs.reference ?? model,
        dictionary: id,
        text: body.text,
        ...(unit === "neuron" ? { neurons: { site, threshold: threshold ?? 0 } } : {}),
      });
      return reply(opened, reading, body.top);
    },
  );
}

function reply({ bundle, features }: OpenedBundle, reading: Reading, top: number): PromptReply {
  const { summary } = bundle;
  const tokens = reading.tokens.map(({ active, ...token }) => {
    const strongest = active
      .map(({ index, value }) => {
        const row = features.byIndex.get(index);
        const peak = row === undefined || !(row.peak > 0) ? value : row.peak;
        return { index, name: row?.name ?? null, value, share: value / peak };
      })
      .sort((a, b) => b.share - a.share || a.index - b.index);
    return { ...token, features: strongest.slice(0, top), L0: active.length };
  });
  const losses = tokens.flatMap(({ loss }) => (loss === null ? [] : [loss]));
  return {
    dictionary: summary.id,
    tokens,
    L0: mean(tokens.map((token) => token.L0)) ?? 0,
    loss: mean(losses),
    held_out_loss: summary.claims.find(({ metric }) => metric === "CE")?.estimate.value ?? null,
    windows: reading.windows,
  };
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}
