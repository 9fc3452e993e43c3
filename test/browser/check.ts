// A very small test runner: sentences, one after another, with the pages' own console watched.
import type { Browser, BrowserContext, Page } from "playwright-core";

export interface World {
  browser: Browser;
  url: string;
  /** A fresh context; every page of it must stay free of console errors. */
  open(path: string, options?: Open): Promise<Page>;
}

export interface Open {
  width?: number;
  height?: number;
  scheme?: "light" | "dark";
  forced?: boolean;
  still?: boolean;
  /** Console messages that this test provokes. */
  expect?: RegExp;
}

export type Test = [name: string, body: (world: World) => Promise<void>];

export function equal(got: unknown, wanted: unknown, what = "value"): void {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export function ok(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Waits until `read` gives something that satisfies `good`; fails with the last it gave. */
export async function until<T>(
  read: () => Promise<T> | T,
  good: (value: T) => boolean,
  what: string,
  ms = 6_000,
): Promise<T> {
  const end = Date.now() + ms;
  let last: T;
  do {
    last = await read();
    if (good(last)) return last;
    await new Promise((r) => setTimeout(r, 50));
  } while (Date.now() < end);
  throw new Error(`${what}: last ${JSON.stringify(last)}`);
}

export async function runAll(
  browser: Browser,
  url: string,
  tests: readonly Test[],
  only?: string,
): Promise<{ passed: number; failed: number }> {
  let passed = 0;
  let failed = 0;
  for (const [name, body] of tests) {
    if (only && !name.includes(only)) continue;
    const contexts: BrowserContext[] = [];
    const noise: string[] = [];
    const open: World["open"] = async (path, options = {}) => {
      const { width = 1440, height = 900, scheme = "light", forced, still, expect } = options;
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: scheme,
        forcedColors: forced ? "active" : "none",
        reducedMotion: still ? "reduce" : "no-preference",
      });
      contexts.push(context);
      context.setDefaultTimeout(8_000);
      const page = await context.newPage();
      const hear = (text: string) => {
        if (!expect?.test(text)) noise.push(text);
      };
      page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && hear(m.text()));
      page.on("pageerror", (e) => hear(String(e)));
      await page.goto(url + path);
      return page;
    };
    const started = Date.now();
    try {
      await body({ browser, url, open });
      if (noise.length > 0) throw new Error(`console: ${noise.join(" | ").slice(0, 400)}`);
      passed++;
      console.log(`  ok    ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed++;
      console.log(`  FAIL  ${name}\n        ${(error as Error).message.slice(0, 800)}`);
    }
    for (const context of contexts) await context.close();
  }
  return { passed, failed };
}
