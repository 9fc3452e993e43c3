// Dictionaries: what is known about one, its features as a list, and one feature's page.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Context } from "hono";
import { z } from "zod";
import {
  DictionarySummarySchema,
  FeatureListSchema,
  FeaturePageSchema,
} from "../../analysis/page.ts";
import { FeatureQuerySchema } from "../../api/schemas.ts";
import { check } from "../../base/errors.ts";
import type { Shelf } from "../bundles.ts";
import { listFeatures } from "../features.ts";
import { type App, route } from "../route.ts";
import { acceptsGzip } from "../static.ts";

const IdSchema = z.object({ id: z.string() });

export function dictionaryRoutes(app: App, { shelf }: { shelf: Shelf }): void {
  route(
    app,
    {
      method: "get",
      path: "/api/dictionaries/{id}",
      summary: "A dictionary's figures",
      params: IdSchema,
      reply: DictionarySummarySchema,
    },
    async ({ params }) => (await shelf.get(params.id)).bundle.summary,
  );

  route(
    app,
    {
      method: "get",
      path: "/api/dictionaries/{id}/features",
      summary: "Features: filtered, searched, sorted, and counted for the facets",
      params: IdSchema,
      query: FeatureQuerySchema,
      reply: FeatureListSchema,
    },
    async ({ params, query }) => listFeatures((await shelf.get(params.id)).features, query),
  );

  route(
    app,
    {
      method: "get",
      path: "/api/dictionaries/{id}/features/{index}",
      summary: "Everything about one feature",
      params: IdSchema.extend({ index: z.string() }),
      reply: FeaturePageSchema,
    },
    async ({ params: { id, index } }, c) => {
      const { bundle, revision } = await shelf.get(id);
      const { d_sae } = bundle.summary;
      check(
        /^\d{1,9}$/.test(index) && Number(index) < d_sae,
        "dictionary/feature",
        "no such feature",
        {
          got: index.slice(0, 100),
          wanted: `0 to ${d_sae - 1}`,
        },
      );
      const etag = `"${id}-r${revision}-${Number(index)}"`;
      if (c.req.header("if-none-match") === etag)
        return new Response(null, { status: 304, headers: { ETag: etag } });
      return page(c, await bundle.page(Number(index)), etag);
    },
  );
}

/** The stored bytes as they are, for everyone who reads gzip. */
async function page(c: Context, zipped: Uint8Array, etag: string): Promise<Response> {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "Cache-Control": "no-cache",
    Vary: "Accept-Encoding",
    ETag: etag,
  };
  const raw = !acceptsGzip(c.req.header("accept-encoding"));
  if (!raw) headers["Content-Encoding"] = "gzip";
  const bytes = new Uint8Array(raw ? await promisify(gunzip)(zipped) : zipped);
  return new Response(bytes, { headers });
}
