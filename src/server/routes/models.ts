// Models: their sizes, sites and cards.
import { z } from "zod";
import { ModelInfoSchema } from "../../api/schemas.ts";
import type { ModelShelf } from "../models.ts";
import { type App, route } from "../route.ts";

export function modelRoutes(app: App, { models }: { models: ModelShelf }): void {
  route(
    app,
    {
      method: "get",
      path: "/api/models",
      summary: "Names of the models that are here",
      reply: z.array(z.string()),
    },
    async () => models.names(),
  );
  route(
    app,
    {
      method: "get",
      path: "/api/models/{name}",
      summary: "A model's sizes, sites and card",
      params: z.object({ name: z.string() }),
      reply: ModelInfoSchema,
    },
    async ({ params }) => models.info(params.name),
  );
}
