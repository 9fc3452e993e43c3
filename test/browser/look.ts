// Can one look closer without leaving the page: peek, marks, token by token, and does the address hold it?
import { equal, ok, type Test } from "./check.ts";
import { dictionaryId } from "./fixture-data.ts";

const list = `/d/${dictionaryId}`;

export const lookTests: readonly Test[] = [
  [
    "Space peeks at the row, the cursor takes the peek along, Escape closes it",
    async ({ open }) => {
      const page = await open(`${list}?q=digits`);
      await page.locator("tr[data-place='0']").waitFor();
      await page.keyboard.press("j");
      await page.keyboard.press(" ");
      await page.waitForURL(/peek=1/);
      const peeked = page.locator(".peek header .spec");
      const first = await peeked.textContent();
      equal(first, await page.locator("tr.at td").first().textContent(), "feature of the peek");
      await page.locator(".peek .lines .tk i[data-a]").first().waitFor();
      await page.keyboard.press("j");
      equal(await peeked.textContent(), await page.locator("tr.at td").first().textContent(), "j");
      ok((await peeked.textContent()) !== first, "another feature");
      await page.waitForURL(/at=/);
      await page.reload();
      await page.locator(".peek").waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".peek").waitFor({ state: "detached" });
      ok(/q=digits/.test(page.url()), "the filter stays");
    },
  ],
  [
    "the arrows walk an open example token by token, and the address holds the place",
    async ({ open }) => {
      const page = await open(`${list}/0`);
      await page.locator("[data-interval='0']").waitFor();
      await page.keyboard.press("n");
      await page.keyboard.press("Enter");
      await page.waitForURL(/open=0\.0/);
      await page.keyboard.press("ArrowRight");
      const selected = page.locator(".opened .tk i.sel");
      await selected.waitFor();
      const peak = Number(/token=(\d+)/.exec(page.url())?.[1]);
      await page.keyboard.press("ArrowLeft");
      await page.waitForURL(new RegExp(`token=${peak - 1}`));
      await page.reload();
      await selected.waitFor();
      await page.getByText(new RegExp(`token ${peak} of`)).waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".opened").waitFor({ state: "detached" });
      ok(page.url().includes(`${list}/0`), "still on the feature");
    },
  ],
  [
    "to the left is onwards in a right-to-left example",
    async ({ open }) => {
      const page = await open(`${list}/3?open=0.0&token=5`);
      await page.locator(".opened .tk[dir=rtl] i.sel").waitFor();
      await page.keyboard.press("ArrowLeft");
      await page.waitForURL(/token=6/);
    },
  ],
  [
    "the claim whose grounds are shown is in the address, and the next feature shows it too",
    async ({ open }) => {
      const page = await open(`${list}/0`);
      await page.locator(".fhead table.rd .plain").first().click();
      await page.waitForURL(/claim=/);
      await page.keyboard.press("j");
      await page.waitForURL((url) => !url.pathname.endsWith("/0"));
      await page.locator(".fhead tr.more").waitFor();
    },
  ],
  [
    "m marks every space",
    async ({ open }) => {
      const page = await open(`/prompt/${dictionaryId}?text=${encodeURIComponent("a b  c")}`);
      await page.locator(".big .tk i").first().waitFor();
      const text = async () => (await page.locator(".big .tk").first().textContent()) ?? "";
      await page.keyboard.press("m");
      equal(((await text()).match(/·/g) ?? []).length, 3, "marks");
      await page.keyboard.press("m");
      ok(((await text()).match(/·/g) ?? []).length < 3, "marks gone");
    },
  ],
  [
    "a narrow list and a narrow run keep the verdict's word",
    async ({ open }) => {
      for (const path of [list, "/runs/8f3a"]) {
        const page = await open(path);
        await page.setViewportSize({ width: 390, height: 800 });
        const word = page.locator(".ls .vw, .ff td.verdict").filter({ hasText: /./ }).first();
        await word.waitFor();
        ok(await word.isVisible(), `verdict on ${path}`);
        const wide = Number(
          await page.evaluate("document.documentElement.scrollWidth - innerWidth"),
        );
        ok(wide <= 0, `${path} overflows by ${wide}`);
      }
    },
  ],
];
