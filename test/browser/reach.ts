// Can everything be reached by keyboard, read in any direction, width, theme and colour mode?
import type { Locator, Page } from "playwright-core";
import { equal, ok, type Test, until } from "./check.ts";
import { dictionaryId, pendingId } from "./fixture-data.ts";
import { text } from "./pages.ts";

const list = `/d/${dictionaryId}`;
const prompt = `/prompt/${dictionaryId}?text=${encodeURIComponent(text)}&token=14&pin=6,3`;
export const places: Readonly<Record<string, string>> = {
  run: "/runs/8f3a",
  failed: "/runs/failed",
  list,
  filtered: `${list}?q=digits&min_r=0.3&context=json,log,contract,phone-number&facets=open`,
  feature: `${list}/0`,
  pending: `/d/${pendingId}/3`,
  dead: `${list}/77`,
  prompt,
  empty: `/prompt/${dictionaryId}`,
};

/** Runs in the page: what has no name, no text, or stands twice. */
const audit = `(() => {
  const out = [];
  for (const e of document.querySelectorAll("button, a[href], [role=button]"))
    if ((e.getAttribute("aria-label") ?? e.textContent ?? "").trim() === "" && !e.title)
      out.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("svg"))
    if (!e.closest("[aria-hidden=true]") && e.getAttribute("role") !== "img" && !e.parentElement.closest("svg"))
      out.push("no text: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("input, textarea"))
    if (!e.getAttribute("aria-label") && !e.closest("label")) out.push("field without label");
  if (document.querySelectorAll("h1").length !== 1) out.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) out.push("not one main");
  return out;
})()`;

/** Runs in the page: where the axis is, and the two edges of the peak, row by row. */
const axes = `[...document.querySelectorAll(".kw")].map((row) => {
  const peak = row.querySelector(".pk").getBoundingClientRect();
  return {
    rtl: row.querySelector(".tk").getAttribute("dir") === "rtl",
    axis: row.querySelector(".af").getBoundingClientRect().left,
    left: peak.left,
    right: peak.right,
  };
})`;

async function styleOf(locator: Locator, property: string): Promise<string> {
  return locator.evaluate(
    (e, name) => (globalThis as unknown as Styles).getComputedStyle(e)[name] ?? "",
    property,
  );
}

interface Styles {
  getComputedStyle(e: unknown): Record<string, string>;
}

async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  await page.waitForLoadState("load");
  await page.waitForTimeout(350);
}

export const reachTests: readonly Test[] = [
  [
    "j, k and Enter walk the list into a feature, Escape comes back to the row",
    async ({ open }) => {
      const page = await open(list);
      await page.locator("tr[data-place='0']").waitFor();
      for (const key of ["j", "j", "j", "k"]) await page.keyboard.press(key);
      const row = page.locator("tr.at");
      equal(await row.getAttribute("data-place"), "1", "place");
      const index = Number(await row.locator("td").first().textContent());
      await page.waitForURL(new RegExp(`at=${index}`));
      await page.keyboard.press("Enter");
      await page.waitForURL(`**${list}/${index}`);
      await page.locator("[data-interval='0']").waitFor();
      await page.keyboard.press("j");
      await page.waitForURL((u) => u.pathname !== `${list}/${index}`);
      await page.keyboard.press("k");
      await page.waitForURL(`**${list}/${index}`);
      await page.keyboard.press("Escape");
      await page.waitForURL(new RegExp(`${list}\\?at=${index}`));
      await page.locator("tr.at").waitFor();
    },
  ],
  [
    "n and p step through the intervals, Enter opens an example in place",
    async ({ open }) => {
      const page = await open(`${list}/0`);
      await page.locator("[data-interval='0']").waitFor();
      for (const key of ["n", "n", "n", "p"]) await page.keyboard.press(key);
      await page.waitForURL(/at=1/);
      await page.keyboard.press("Enter");
      await page.locator("[data-interval='1'] .opened").waitFor();
    },
  ],
  [
    "g, ?, t, Ctrl K and the silence of fields",
    async ({ open }) => {
      const page = await open(list);
      await page.locator("tr[data-place='0']").waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys of this page" }).waitFor();
      await page.keyboard.press("Escape");
      const scheme = () =>
        page.evaluate<string>("getComputedStyle(document.documentElement).colorScheme");
      equal(await scheme(), "light", "theme");
      await page.keyboard.press("t");
      equal(await scheme(), "dark", "theme after t");
      await page.keyboard.press("t");
      await page.keyboard.press("/");
      await page.keyboard.type("tgj?");
      equal(await scheme(), "light", "theme after typing t in a field");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.getByRole("dialog", { name: "Find" }).waitFor();
      await page.keyboard.type("hebrew");
      await page
        .getByRole("option", { name: /Hebrew letters/ })
        .first()
        .waitFor();
      await page.keyboard.press("Enter");
      await page.waitForURL(new RegExp(`${list}/\\d+`));
      await page.locator("[data-interval='0']").waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("p");
      await page.waitForURL(`**/prompt/${dictionaryId}`);
      await page.keyboard.press("g");
      await page.keyboard.press("l");
      await page.waitForURL(`**${list}`);
      await page.keyboard.press("o");
      await page.waitForURL(/sort=density/);
      await page.keyboard.press("g");
      await page.keyboard.press("r");
      await page.waitForURL("**/runs/8f3a");
    },
  ],
  [
    "arrows walk the prompt's tokens and features, x pins",
    async ({ open }) => {
      const page = await open(prompt);
      await page.locator(".big .tk i.sel").waitFor();
      await page.keyboard.press("ArrowRight");
      await page.waitForURL(/token=15/);
      await page.keyboard.press("ArrowDown");
      await page.waitForURL(/wash=\d+/);
      await page.keyboard.press("x");
      await until(
        () => new URL(page.url()).searchParams.get("pin"),
        (p) => (p ?? "").split(",").length === 3,
        "pins",
      );
    },
  ],
  [
    "a right-to-left example stands on the same axis with its halves changed",
    async ({ open }) => {
      const page = await open(`${list}/3`);
      await page.locator("[data-interval='0'] .kw").first().waitFor();
      const rows =
        await page.evaluate<{ rtl: boolean; axis: number; left: number; right: number }[]>(axes);
      ok(rows.some((r) => r.rtl) && rows.some((r) => !r.rtl), "both directions are there");
      for (const r of rows) {
        ok(Math.abs(r.axis - rows[0]!.axis) < 1, "one axis");
        const edge = r.rtl ? r.right : r.left;
        ok(Math.abs(edge - r.axis) < 3, `peak ${edge} stands off the axis ${r.axis}, rtl ${r.rtl}`);
      }
    },
  ],
  ...[320, 390, 820, 1180, 1440].map(
    (width): Test => [
      `nothing runs over the edge at ${width}`,
      async ({ open }) => {
        for (const [name, path] of Object.entries(places)) {
          const page = await open(path, { width });
          await settled(page);
          const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
          ok(wide <= width, `${name} is ${wide} wide`);
          await page.context().close();
        }
      },
    ],
  ),
  [
    "both themes draw every page, with the page's own colours",
    async ({ open }) => {
      for (const scheme of ["light", "dark"] as const)
        for (const path of Object.values(places)) {
          const page = await open(path, { scheme });
          await settled(page);
          const ground = await page.evaluate<string>(
            "getComputedStyle(document.documentElement).backgroundColor",
          );
          equal(ground, scheme === "light" ? "rgb(252, 252, 251)" : "rgb(11, 13, 16)", "page");
          await page.context().close();
        }
    },
  ],
  [
    "forced colours keep underlines and shapes",
    async ({ open }) => {
      const page = await open(`${list}/0`, { forced: true });
      const token = page.locator(".kw .tk i[data-a]").first();
      await token.waitFor();
      equal(await styleOf(token, "textDecorationLine"), "underline", "active token");
      const dot = page.locator(".rdg .val").first();
      ok((await styleOf(dot, "fill")) !== "none", "dot");
    },
  ],
  [
    "reduced motion makes zoom a cut, print leaves the foot away",
    async ({ open }) => {
      const page = await open(`${list}/0`, { still: true });
      await page.locator("[data-interval='0']").waitFor();
      const zoom = await page.evaluate<string>(
        "getComputedStyle(document.documentElement).getPropertyValue('--zoom').trim()",
      );
      ok(/^0m?s$/.test(zoom), `--zoom is ${zoom}`);
      await page.emulateMedia({ media: "print" });
      ok(!(await page.locator(".foot").isVisible()), "foot in print");
      ok(await page.locator(".address").isVisible(), "address in print");
    },
  ],
  [
    "every control has a name, every picture a text, every page one h1 and a main",
    async ({ open }) => {
      for (const [name, path] of Object.entries(places)) {
        const page = await open(path);
        await settled(page);
        const bad = await page.evaluate<string[]>(audit);
        equal(bad, [], name);
        await page.context().close();
      }
    },
  ],
  [
    "charts stand as tables under Alt T",
    async ({ open }) => {
      const page = await open("/runs/8f3a");
      await page.locator(".curves svg").first().waitFor();
      await page.keyboard.press("Alt+t");
      await page.locator(".curves table.rd").first().waitFor();
    },
  ],
];
