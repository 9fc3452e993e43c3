// Does the guide show what the readings print: the same lines, whatever the digits of another machine?
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { main } from "./program.ts";

const pages = ["reading", "probes"].map((name) => readFileSync(`docs/guide/${name}.md`, "utf8"));
const blocks = [...pages.join("\n").matchAll(/^```text\n\$ (.*)\n([\s\S]*?)^```/gm)].map(
  ([, command, shown]) => ({ command: command!, shown: shown! }),
);

/** Figures, shades and marks may differ in the last bit; where they stand may not. */
const rough = (line: string): string =>
  line
    .replace(/[<>]?[-+]?(\d+\.?\d*|\.\d+)(e-?\d+)?/g, "0")
    .replace(/[░▒▓█ ]+/g, " ")
    .replaceAll("●", "○")
    .trim();

test("the pages have commands to try", () => {
  expect(blocks.length).toBeGreaterThanOrEqual(5);
});

test.each(blocks)("$command", async ({ command, shown }) => {
  let out = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest) => {
    out += text;
    const done = rest.at(-1);
    if (typeof done === "function") done();
    return true;
  });
  const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
  try {
    expect(await main([...args.slice(2), "--quiet"])).toBe(0);
  } finally {
    write.mockRestore();
  }
  const printed = out.split("\n").slice(2).map(rough);
  const wanted = shown.trimEnd().split("\n").map(rough);
  const whole = wanted.at(-1) === "…" ? wanted.slice(0, -1) : wanted;
  expect(printed.slice(0, whole.length)).toEqual(whole);
  if (whole === wanted) expect(printed.slice(whole.length).join("")).toBe("");
});
