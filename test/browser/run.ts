// Builds the app, serves the fixture, drives Chromium; prints "N passed, N failed" and exits so.
import { join } from "node:path";
import { build } from "vite";
import { ok, runAll, type Test, until } from "./check.ts";
import { chromiumPath, openBrowser } from "./chromium.ts";
import { colourTests } from "./colour.ts";
import { startFixture } from "./fixture-server.ts";
import { lookTests } from "./look.ts";
import { pageTests } from "./pages.ts";
import { reachTests } from "./reach.ts";

const only = process.argv[2];
if (chromiumPath() === null) {
  console.log("no Chromium on this machine: browser tests skipped (set CHROMIUM to its path)");
  process.exit(0);
}
await build({ configFile: "vite.config.ts", logLevel: "warn" });
const fixture = await startFixture(join(process.cwd(), "dist/web"));
const browser = await openBrowser();

/** Last, because it takes the server away. */
const lost: Test = [
  "a server that goes away leaves the page standing, dated and dimmed",
  async ({ open }) => {
    const page = await open("/runs/8f3a", { expect: /ERR_|Failed to load/ });
    await page.locator("table.ff").waitFor();
    await fixture.close();
    await page.getByText(/no longer arrive/).waitFor();
    ok(await page.locator("table.ff").isVisible(), "the table stays");
    await until(
      () => page.locator(".foot").textContent(),
      (t) => /connection lost/.test(t ?? ""),
      "foot",
    );
  },
];

const { passed, failed } = await runAll(
  browser,
  fixture.url,
  [...colourTests, ...pageTests, ...reachTests, ...lookTests, lost],
  only,
);
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
