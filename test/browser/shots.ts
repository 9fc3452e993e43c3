// Takes a picture of every page, both themes, wide and narrow, into a folder (default /tmp/shots).
// With --url it looks at a running server instead of the fixture, for the pictures in docs/images.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { FeatureList, Home } from "../../src/api/types.ts";
import { openBrowser } from "./chromium.ts";
import { deadFeature, dictionaryId, pendingId } from "./fixture-data.ts";
import { type Fixture, startFixture } from "./fixture-server.ts";
import { palettePng } from "./palette-png.ts";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    out: { type: "string", default: "/tmp/shots" },
    only: { type: "string" },
    /** A number: this feature instead of the best one. */
    feature: { type: "string" },
    /** Wide pictures only, as the README shows them. */
    docs: { type: "boolean", default: false },
  },
});
const text =
  "The tenant left the key “U2VjcmV0” under § 14.2 of the lease; her note said שלום, on 鹽🧂.";

function invented(): Record<string, string> {
  const list = `/d/${dictionaryId}`;
  const said = encodeURIComponent(text);
  return {
    run: "/runs/8f3a",
    stopped: "/runs/stopped",
    failed: "/runs/failed",
    list,
    filtered: `${list}?q=digits&min_r=0.3&context=json,log,contract,phone-number,hindi,base64-digits`,
    feature: `${list}/0`,
    hebrew: `${list}/3`,
    tried: `${list}/8?try=${said}&at=3`,
    pending: `/d/${pendingId}/0`,
    dead: `${list}/${deadFeature}`,
    prompt: `/prompt/${dictionaryId}?text=${said}&token=14&wash=8&pin=6,3`,
    empty: `/prompt/${dictionaryId}`,
    refused: "/d/no-such-dictionary",
    nothing: `${list}?q=zzzzz&min_r=0.9`,
  };
}

/** The newest run and dictionary, and its best feature. */
async function real(url: string): Promise<Record<string, string>> {
  const ask = async <T>(path: string): Promise<T> => (await (await fetch(url + path)).json()) as T;
  const home = await ask<Home>("/api");
  const pages: Record<string, string> = {};
  if (home.runs[0]) pages.run = `/runs/${home.runs[0].id}`;
  const id = home.dictionaries[0]?.id;
  if (id === undefined) return pages;
  const { rows } = await ask<FeatureList>(`/api/dictionaries/${id}/features?sort=r&limit=5`);
  pages.list = `/d/${id}`;
  rows.forEach((row, i) => {
    pages[i === 0 ? "feature" : `feature-${i + 1}`] = `/d/${id}/${row.index}`;
  });
  if (options.feature !== undefined) pages.feature = `/d/${id}/${options.feature}`;
  pages.prompt = `/prompt/${id}?text=${encodeURIComponent(text)}&token=14`;
  return pages;
}

let fixture: Fixture | undefined;
if (options.url === undefined) {
  fixture = await startFixture(join(process.cwd(), "dist/web"));
  fixture.live.step = 0;
}
const url = options.url ?? fixture!.url;
const pages = fixture ? invented() : await real(url);
const only = options.only?.split(",") ?? (options.docs ? ["run", "list", "feature"] : undefined);
mkdirSync(options.out, { recursive: true });
const browser = await openBrowser();
const sizes = options.docs
  ? [[1440, 900]]
  : [
      [1440, 900],
      [390, 1600],
    ];
for (const scheme of ["light", "dark"] as const)
  for (const [width, height] of sizes as [number, number][]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    for (const [name, path] of Object.entries(pages)) {
      if (only && !only.includes(name)) continue;
      const page = await context.newPage();
      page.on("console", (m) => m.type() === "error" && console.log(name, m.text().slice(0, 300)));
      page.on("pageerror", (e) => console.log(name, String(e).slice(0, 300)));
      await page.goto(url + path);
      await page.waitForTimeout(900);
      const file = `${name}-${scheme}${width === 390 ? "-390" : ""}.png`;
      const picture = await page.screenshot();
      writeFileSync(join(options.out, file), options.docs ? palettePng(picture) : picture);
      await page.close();
    }
    await context.close();
  }
await browser.close();
await fixture?.close();
process.exit(0);
