// What is here: runs, dictionaries and models of the folder.
import { HomeSchema } from "../../api/schemas.ts";
import type { Home } from "../../api/types.ts";
import type { Shelf } from "../bundles.ts";
import type { RunHub } from "../events.ts";
import type { ModelShelf } from "../models.ts";
import { type App, route } from "../route.ts";

interface Parts {
  version: string;
  readOnly: string | null;
  hub: RunHub;
  models: ModelShelf;
  shelf: Shelf;
}

export function homeRoutes(app: App, { version, readOnly, hub, models, shelf }: Parts): void {
  route(
    app,
    { method: "get", path: "/api", summary: "What is in this folder", reply: HomeSchema },
    async (): Promise<Home> => {
      const [runs, summaries, names] = await Promise.all([
        hub.states(),
        shelf.summaries(),
        models.names(),
      ]);
      return {
        version,
        // The newest first.
        runs: runs
          .reverse()
          .map(({ id, kind, status, dictionary }) => ({ id, kind, status, dictionary })),
        dictionaries: summaries.map(({ claims: _, contexts: __, ...rest }) => rest),
        models: names,
        read_only: readOnly,
      };
    },
  );
}
