// Do the tokens keep the contrast that they promise, and do the ramps rise evenly? Computed from tokens.css.
import { readdirSync, readFileSync } from "node:fs";
import { ok, type Test } from "./check.ts";

type Rgb = readonly [number, number, number];
type Tokens = ReadonlyMap<string, string>;

function blocks(css: string): { light: Tokens; dark: Tokens } {
  const read = (body: string): Tokens =>
    new Map([...body.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6})/gi)].map((m) => [m[1]!, m[2]!]));
  const bodies = [...css.matchAll(/\{([^{}]*--page:[^{}]*)\}/g)].map((m) => read(m[1]!));
  const light = bodies.find((b) => b.get("page") === "#fcfcfb")!;
  const dark = bodies.filter((b) => b.get("page") === "#0b0d10");
  ok(dark.length === 2, "the dark theme stands twice: by system and by choice");
  for (const [name, value] of dark[0]!) ok(dark[1]!.get(name) === value, `dark --${name} differs`);
  return { light, dark: dark[0]! };
}

const rgb = (hex: string): Rgb =>
  [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255) as unknown as Rgb;
const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

/** WCAG 2 relative luminance. */
function luminance(hex: string): number {
  const [r, g, b] = rgb(hex).map(linear) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** Ottosson's OKLab, https://bottosson.github.io/posts/oklab/. */
function oklab(hex: string): Rgb {
  const [r, g, b] = rgb(hex).map(linear) as unknown as Rgb;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

const distance = (a: Rgb, b: Rgb): number => 100 * Math.hypot(...a.map((x, i) => x - b[i]!));

function themes(): [string, Tokens][] {
  const { light, dark } = blocks(readFileSync("web/styles/tokens.css", "utf8"));
  return [
    ["light", light],
    ["dark", dark],
  ];
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(tsx?|css)$/.test(path) && !path.endsWith("tokens.css"))
    .map((path) => `${folder}/${path}`);
}

export const colourTests: readonly Test[] = [
  [
    "text keeps 4.5 to 1 on page and well, marks 3 to 1, in both themes",
    async () => {
      for (const [theme, t] of themes()) {
        for (const ink of ["ink", "ink-2", "ink-3", "pos-ink", "neg-ink", "alarm"])
          for (const ground of ["page", "well"]) {
            const c = contrast(t.get(ink)!, t.get(ground)!);
            ok(c >= 4.5, `${theme} --${ink} on --${ground} is ${c.toFixed(2)}`);
          }
        for (const mark of ["edge", "control", "pos-mark", "neg-mark"]) {
          const c = contrast(t.get(mark)!, t.get("page")!);
          ok(c >= 3, `${theme} --${mark} is ${c.toFixed(2)}`);
        }
        for (const ramp of ["a", "n"])
          for (let i = 1; i <= 16; i++) {
            const c = contrast(t.get("on-act")!, t.get(`${ramp}${i}`)!);
            ok(c >= 4.8, `${theme} text on --${ramp}${i} is ${c.toFixed(2)}`);
          }
      }
    },
  ],
  [
    "the four ramps rise evenly in OKLab, lightness never turns back",
    async () => {
      for (const [theme, t] of themes())
        for (const ramp of ["a", "n", "h", "k"]) {
          const steps = ["page", ...Array.from({ length: 16 }, (_, i) => `${ramp}${i + 1}`)].map(
            (name) => oklab(t.get(name)!),
          );
          const sizes = steps.slice(2).map((s, i) => distance(s, steps[i + 1]!));
          const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
          ok(
            most / least < 1.45,
            `${theme} --${ramp} steps from ${least.toFixed(2)} to ${most.toFixed(2)}`,
          );
          const falling = steps.at(-1)![0] < steps[0]![0];
          steps.slice(1).forEach((s, i) => {
            ok(
              falling ? s[0] < steps[i]![0] : s[0] > steps[i]![0],
              `${theme} --${ramp}${i + 1} turns back`,
            );
          });
        }
    },
  ],
  [
    "no file of the app has a colour or a duration of its own",
    async () => {
      const bad =
        /#[0-9a-f]{3,8}\b(?![^<]*<\/)|\b(?:rgb|hsl|oklch|oklab|lab|lch)a?\(|transition[^;"]*?\d+m?s\b/i;
      for (const path of sources("web")) {
        const text = readFileSync(path, "utf8").replace(/https?:\S+|["'`]#[a-z]+["'`]/g, "");
        const found = text
          .split("\n")
          .find((line) => bad.test(line) && !line.trim().startsWith("//"));
        ok(found === undefined, `${path}: ${found?.trim().slice(0, 120)}`);
      }
    },
  ],
  [
    "the fonts are two, latin, below 53 kB together",
    async () => {
      const fonts = readdirSync("dist/web/assets").filter((f) => f.endsWith(".woff2"));
      ok(fonts.length === 2, `fonts: ${fonts.join(", ")}`);
      const bytes = fonts.reduce((sum, f) => sum + readFileSync(`dist/web/assets/${f}`).length, 0);
      ok(bytes <= 53_000, `fonts are ${bytes} bytes`);
    },
  ],
];
