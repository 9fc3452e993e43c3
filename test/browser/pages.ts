// Do the pages show what the contract says, in every state, and does the address hold it?
import {
  DictionarySummarySchema,
  FeatureListSchema,
  FeaturePageSchema,
} from "../../src/analysis/page.ts";
import { HomeSchema, PromptReplySchema } from "../../src/api/schemas.ts";
import { RunStateSchema } from "../../src/workspace/run-state.ts";
import { equal, ok, type Test, until } from "./check.ts";
import { deadFeature, dictionaryId, failingFeature, neuronsId, pendingId } from "./fixture-data.ts";

const list = `/d/${dictionaryId}`;
export const text =
  "The tenant left the key “U2VjcmV0” under § 14.2 of the lease; her note said שלום, on 鹽🧂.";
const prompt = `/prompt/${dictionaryId}?text=${encodeURIComponent(text)}`;

export const pageTests: readonly Test[] = [
  [
    "the fixture conforms to the contract",
    async ({ url }) => {
      const json = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
      HomeSchema.parse(await json("/api"));
      RunStateSchema.parse(await json("/api/runs/8f3a"));
      RunStateSchema.parse(await json("/api/runs/failed"));
      for (const id of [dictionaryId, pendingId, neuronsId]) {
        DictionarySummarySchema.parse(await json(`/api/dictionaries/${id}`));
        FeatureListSchema.parse(await json(`/api/dictionaries/${id}/features?limit=500`));
        for (const index of [0, deadFeature, failingFeature])
          FeaturePageSchema.parse(await json(`/api/dictionaries/${id}/features/${index}`));
      }
      const reply = await fetch(`${url}/api/dictionaries/${dictionaryId}/prompt`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text, top: 8 }),
      });
      PromptReplySchema.parse(await reply.json());
    },
  ],
  [
    "the start goes to the run that is going on",
    async ({ open }) => {
      const page = await open("/");
      await page.waitForURL("**/runs/8f3a");
      await page.getByRole("heading", { level: 1, name: "Looking into field-1l" }).waitFor();
      equal(await page.locator(".curves figure").count(), 4, "charts");
      ok((await page.locator("table.ff tbody tr").count()) >= 20, "contexts");
      ok((await page.locator("table.ff .hist rect").count()) > 200, "history strips");
      await page.getByText("base64 random", { exact: true }).first().waitFor();
    },
  ],
  [
    "a run moves on over server-sent events and ends as done",
    async ({ open, url }) => {
      await fetch(`${url}/test/live?t=0.9&step=0.03`);
      const page = await open("/runs/8f3a");
      const seen = () =>
        page.locator(".zoom li", { hasText: "token" }).locator(".ob").textContent();
      const first = await until(seen, (t) => /seen/.test(t ?? ""), "tokens seen");
      await until(seen, (t) => t !== first, "tokens move on");
      ok((await page.locator(".dot.live").count()) === 1, "live dot");
      await page.getByRole("heading", { name: "Looked into field-1l" }).waitFor();
      equal(await page.locator(".dot.live").count(), 0, "live dot after the end");
      equal(await page.getByRole("button", { name: "Stop" }).count(), 0, "stop after the end");
      await fetch(`${url}/test/live?t=0.64&step=0.004`);
    },
  ],
  [
    "a stopped run says where, a failed one says why",
    async ({ open }) => {
      const stopped = await open("/runs/stopped");
      await stopped.getByText("Nothing is lost").waitFor();
      const failed = await open("/runs/failed");
      await failed.getByRole("alert").getByText("workspace/hash-mismatch").waitFor();
    },
  ],
  [
    "the list shows all rows by scrolling, and only those on screen exist",
    async ({ open }) => {
      const page = await open(list);
      await page.locator("tr[data-place='0']").waitFor();
      equal(await page.locator("table.ls").getAttribute("aria-rowcount"), "2049", "rows");
      ok((await page.locator("table.ls tbody tr").count()) < 120, "rows in the document");
      await page.keyboard.press("End");
      await page.locator("tr[data-place='2047']").waitFor();
      ok((await page.locator("tr[data-place='0']").count()) === 0, "first row is gone");
    },
  ],
  [
    "filters live in the address, and back undoes them",
    async ({ open }) => {
      const page = await open(list);
      await page.locator("tr[data-place='0']").waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("r > 0.5 digits");
      await page.keyboard.press("Enter");
      await page.waitForURL(/min_r=0\.5/);
      ok(/q=digits/.test(page.url()), page.url());
      await page.getByRole("button", { name: "Remove filter r > 0.5" }).waitFor();
      const few = await until(
        () => page.locator(".q-bar .res b").textContent(),
        (t) => Number((t ?? "0").replace(",", "")) < 200,
        "matching",
      );
      ok((await page.locator("td.nm mark").count()) > 0, "the word is marked");
      await page.reload();
      equal(await page.locator(".q-bar .res b").textContent(), few, "after a reload");
      await page.goBack();
      await until(
        () => page.locator(".q-bar .res b").textContent(),
        (t) => t === "2,048",
        "back",
      );
    },
  ],
  [
    "a facet filters by context and shows as a chip",
    async ({ open }) => {
      const page = await open(list);
      await page.locator("button.fc", { hasText: "Hebrew" }).click();
      await page.waitForURL(/context=hebrew/);
      await page.getByRole("button", { name: /Remove filter context/ }).click();
      await until(
        () => page.url(),
        (u) => !u.includes("context"),
        "chip removed",
      );
    },
  ],
  [
    "no match is a sentence with a way out, a refusal names code, wanted and found",
    async ({ open }) => {
      const page = await open(`${list}?q=zzzzz&min_r=0.9`);
      await page.getByText("No feature matches").waitFor();
      await page.getByRole("button", { name: "Without the word" }).click();
      await page.locator("tr[data-place='0']").waitFor();
      const refused = await open(`${list}?q=refuse-me`, { expect: /500/ });
      await refused.getByRole("alert").getByText("bundle/truncated").waitFor();
      await refused.getByText("8,192 bytes").waitFor();
      const unknown = await open("/d/no-such", { expect: /404/ });
      await unknown.getByRole("alert").getByText("dictionary/unknown").waitFor();
      const nowhere = await open("/nothing/here");
      await nowhere.getByText("There is nothing at").waitFor();
    },
  ],
  [
    "a feature page has its eleven intervals, its plates and its verdicts",
    async ({ open }) => {
      const page = await open(`${list}/0`);
      await page.getByRole("heading", { level: 1, name: "base64 of random bytes" }).waitFor();
      equal(await page.locator("[data-interval]").count(), 11, "intervals");
      for (const name of [
        "Is it one thing?",
        "Activation",
        "Contexts",
        "Next token",
        "Nearest",
        "Made of neurons",
      ])
        await page.getByRole("heading", { level: 2, name }).waitFor();
      const verdicts = await page.locator("td.w").allTextContents();
      ok(verdicts.includes("holds") && verdicts.includes("undecided"), verdicts.join());
      const label = await page.locator(".rdg svg[role=img]").first().getAttribute("aria-label");
      ok(/0\.87, 95 % 0\.86 to 0\.88, control 0\.06.*holds/.test(label ?? ""), `${label}`);
      await page.locator("table.rd .plain").first().click();
      await page.getByText(/Chosen on select, judged on eval/).waitFor();
      await page.getByRole("button", { name: "precision", exact: true }).click();
      await page.waitForURL(/figure=precision/);
    },
  ],
  [
    "inside its control the dot is hollow and the claim fails",
    async ({ open }) => {
      const page = await open(`${list}/${failingFeature}`);
      await page.locator(".rdg .val.hollow").first().waitFor();
      await page.locator("td.w.fails", { hasText: "fails" }).first().waitFor();
      await page.getByText(/no evidence/).waitFor();
    },
  ],
  [
    "a pending control leaves its place empty and names the command",
    async ({ open }) => {
      const page = await open(`/d/${pendingId}/0`);
      await page.locator("td.w.pending", { hasText: "control pending" }).first().waitFor();
      await page.locator("code.cmd", { hasText: "micrographia evaluate" }).first().waitFor();
      equal(await page.locator(".rdg .dia").count(), 0, "control diamonds");
    },
  ],
  [
    "a dead feature says so, with the bound of its density",
    async ({ open }) => {
      const page = await open(`${list}/${deadFeature}`);
      await page.getByText(/has not fired in 1.05 M tokens/).waitFor();
      await page.getByText("2.9 × 10⁻⁶").waitFor();
    },
  ],
  [
    "neurons are called neurons, and are not made of neurons",
    async ({ open }) => {
      const all = await open(`/d/${neuronsId}`);
      await all.getByRole("heading", { level: 1, name: "Neurons" }).waitFor();
      await all.getByText("in the layer").waitFor();
      await all.locator("table.ls th", { hasText: "neuron" }).first().waitFor();
      const page = await open(`/d/${neuronsId}/8`);
      await page.getByLabel("Try a text on this neuron").waitFor();
      await page.getByText("cosine of W_out").waitFor();
      await page.locator(".zoom .lv", { hasText: /^neuron$/ }).waitFor();
      equal(await page.getByRole("heading", { name: "Made of neurons" }).count(), 0, "plates");
      const read = await open(prompt.replace(dictionaryId, neuronsId));
      await read.getByText("strongest neuron").waitFor();
      for (const shown of [all, page, read]) {
        const text = (await shown.locator("main").textContent()) ?? "";
        ok(!/feature/i.test(text), /.{0,40}feature.{0,40}/i.exec(text)?.[0] ?? "");
      }
    },
  ],
  [
    "a text can be tried on a feature, and the address keeps it",
    async ({ open }) => {
      const page = await open(`${list}/8`);
      await page.getByLabel("Try a text on this feature").fill("under § 14.2 of the lease");
      await page.getByRole("button", { name: "Try", exact: true }).click();
      await page.locator(".tried .tk i[data-a]").first().waitFor();
      ok(/try=under/.test(page.url()), page.url());
    },
  ],
  [
    "the prompt page reads any script, keeps byte tokens whole and goes on to a feature",
    async ({ open }) => {
      const page = await open(`${prompt}&token=14&wash=8&pin=6,3`);
      await page.locator(".big .tk i.sel").waitFor();
      equal(await page.locator(".big .char").getAttribute("title"), "🧂, 3 tokens", "character");
      await page.locator(".big .lane rect").first().waitFor();
      const shown = ((await page.locator(".big .tk").first().textContent()) ?? "").replace(
        /\s/g,
        "",
      );
      ok(shown.includes("שלום") && shown.includes("F09F"), shown);
      await page.locator("table.all a").first().click();
      await page.waitForURL(new RegExp(`${list}/\\d+`));
    },
  ],
  [
    "a text of sixty thousand characters keeps its layout, outside the address",
    async ({ open }) => {
      const page = await open(`/prompt/${dictionaryId}`);
      await page.getByLabel("Text to read").fill("word and number 12 of the tenant; ".repeat(1800));
      await page.getByRole("button", { name: "Read" }).click();
      await page.locator("table.tt tbody tr").first().waitFor({ timeout: 20_000 });
      ok((await page.locator("table.tt tbody tr").count()) < 200, "rows in the document");
      ok(page.url().length < 300 && /held=/.test(page.url()), page.url().slice(0, 200));
      await page.reload();
      await page.locator("table.tt tbody tr").first().waitFor({ timeout: 20_000 });
      const other = await open(`/prompt/${dictionaryId}?held=1-abc`);
      await other.getByText("Not in this tab").waitFor();
    },
  ],
  [
    "hostile text is text",
    async ({ open }) => {
      const page = await open(
        `/prompt/${dictionaryId}?text=${encodeURIComponent("<img src=x onerror=alert(1)> admin\u202egnp.exe a\u200bb")}`,
      );
      await page.locator(".big .tk").waitFor();
      const by = await page.locator(".big .by").allTextContents();
      ok(by.includes("U+202E") && by.includes("U+200B"), by.join());
      equal(await page.locator(".big img").count(), 0, "images");
    },
  ],
  [
    "the token of the address goes with what writes, and leaves the address",
    async ({ open }) => {
      const without = await open("/runs/8f3a", { expect: /401/ });
      await without.getByRole("button", { name: "Stop" }).click();
      await without.getByRole("alert").getByText("server/token").waitFor();
      const page = await open("/runs/8f3a?token=secret-token-1");
      await page.getByRole("button", { name: "Stop" }).click();
      await page.getByRole("button", { name: "Stopping" }).waitFor();
      ok(!page.url().includes("token"), page.url());
    },
  ],
];
