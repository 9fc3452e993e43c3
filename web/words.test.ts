// Are names, numbers and filters written as VISUAL asks, and read back as they were meant?
import { describe, expect, it } from "vitest";
import { apiParams, chipsOf, readQuery, toggled, without } from "./pages/list/params.ts";
import {
  digitsOf,
  duration,
  figure,
  fixed,
  int,
  nameWords,
  percent,
  plusMinus,
  scientific,
  short,
  signed,
  spacedHex,
  tokenWord,
  words,
} from "./words.ts";

describe("words", () => {
  it("shows context ids as words, with the spelling of languages and formats", () => {
    expect(words("court-ruling")).toBe("court ruling");
    expect(words("base64-english")).toBe("base64 English");
    expect(words("dna")).toBe("DNA");
    expect(nameWords("base64-random")).toBe("base64 random");
    expect(nameWords("“the” in court-ruling")).toBe("“the” in court ruling");
    expect(nameWords("“well-known”")).toBe("“well-known”");
  });

  it("writes minus as U+2212, thousands with commas, a space before the percent sign", () => {
    expect(fixed(-0.42)).toBe("−0.42");
    expect(fixed(-0.001)).toBe("0.00");
    expect(signed(2.41)).toBe("+2.41");
    expect(int(1902)).toBe("1,902");
    expect(percent(0.0066)).toBe("0.66 %");
    expect(percent(0.00001)).toBe("<.005 %");
    expect(short(1_050_000)).toBe("1.05 M");
    expect(scientific(2.9e-6)).toBe("2.9 × 10⁻⁶");
    expect(duration(161)).toBe("2 min 41 s");
  });

  it("gives no more digits than the interval supports, and never 0.00 for what is not 0", () => {
    expect(digitsOf({ value: 0.87, low: 0.86, high: 0.88 })).toBe(2);
    expect(digitsOf({ value: 0.9573, low: 0.954, high: 0.96 })).toBe(3);
    expect(digitsOf({ value: 0.5, low: 0.3, high: 0.7 })).toBe(2);
    expect(digitsOf({ value: 12, low: 9, high: 15 })).toBe(0);
    expect(plusMinus({ value: 0.87, low: 0.86, high: 0.88 })).toBe("±0.01");
    expect(plusMinus({ value: 0.9, low: 0.05, high: 0.97 })).toBe("0.05–0.97");
    expect(figure({ value: 0.0004, low: null, high: null })).toBe("<.005");
  });

  it("marks a token's edges and bytes", () => {
    expect(tokenWord({ text: " the" })).toBe("␣the");
    expect(tokenWord({ text: ",\n" })).toBe(",↵");
    expect(tokenWord({ text: "", hex: "f09f" })).toBe("F0 9F");
    expect(tokenWord({ text: "\u0e31" })).toBe("◌\u0e31");
    expect(spacedHex("A7")).toBe("A7");
  });
});

describe("filters of the list", () => {
  it("reads comparisons out of the words", () => {
    expect(readQuery("r > .5 density<2% digits")).toEqual({
      min_r: "0.5",
      max_density: "0.02",
      q: "digits",
    });
    expect(readQuery("r2 < x")).toEqual({ q: "r2 < x" });
  });

  it("asks the API by name and takes chips away one by one", () => {
    const search = { context: "json,log", min_r: "0.3", at: "7", facets: "open" };
    expect(apiParams(search)).toBe("sort=r&order=desc&context=json,log&min_r=0.3");
    const chips = chipsOf(search, words);
    expect(chips.map((c) => c.value)).toEqual(["0.3", "JSON", "log"]);
    expect(without(search, chips[1]!).context).toBe("log");
    expect(toggled(search, "log").context).toBe("json");
    expect(toggled({}, "dna").context).toBe("dna");
  });
});
