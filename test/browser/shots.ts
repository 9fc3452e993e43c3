// Takes a picture of every page, both themes, wide and narrow, into a folder (default /tmp/shots).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "./chromium.ts";
import { dictionaryId, pendingId } from "./fixture-data.ts";
import { startFixture } from "./fixture-server.ts";

const out = process.env.SHOTS ?? "/tmp/shots";
const only = process.argv[2];
mkdirSync(out, { recursive: true });
const text =
  "The tenant left the key “U2VjcmV0” under § 14.2 of the lease; her note said שלום, on 鹽🧂.";
const pages: Record<string, string> = {
  run: "/runs/8f3a",
  stopped: "/runs/stopped",
  failed: "/runs/failed",
  list: `/d/${dictionaryId}`,
  filtered: `/d/${dictionaryId}?q=digits&min_r=0.3&context=json,log,contract,phone-number,hindi,base64-digits`,
  feature: `/d/${dictionaryId}/0`,
  hebrew: `/d/${dictionaryId}/3`,
  tried: `/d/${dictionaryId}/8?try=${encodeURIComponent(text)}&at=3`,
  pending: `/d/${pendingId}/0`,
  dead: `/d/${dictionaryId}/77`,
  prompt: `/prompt/${dictionaryId}?text=${encodeURIComponent(text)}&token=14&wash=8&pin=6,3`,
  empty: `/prompt/${dictionaryId}`,
  refused: "/d/no-such-dictionary",
};
const fixture = await startFixture(join(process.cwd(), "dist/web"));
fixture.live.step = 0;
const browser = await openBrowser();
for (const scheme of ["light", "dark"] as const)
  for (const [width, height] of [
    [1440, 900],
    [390, 1600],
  ] as const) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    for (const [name, path] of Object.entries(pages)) {
      if (only && !only.split(",").includes(name)) continue;
      const page = await context.newPage();
      page.on("console", (m) => m.type() === "error" && console.log(name, m.text().slice(0, 300)));
      page.on("pageerror", (e) => console.log(name, String(e).slice(0, 300)));
      await page.goto(fixture.url + path);
      await page.waitForTimeout(700);
      await page.screenshot({
        path: join(out, `${name}-${scheme}${width === 390 ? "-390" : ""}.png`),
      });
      await page.close();
    }
    await context.close();
  }
await browser.close();
await fixture.close();
process.exit(0);
