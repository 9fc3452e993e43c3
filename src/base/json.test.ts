import fc from "fast-check";
import { expect, test } from "vitest";
import { describeError, fail } from "./errors.ts";
import { parseJson } from "./json.ts";

test("whatever JSON.parse takes is the same here, brackets in texts included", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
  const brackets = { a: "[[[[\\".repeat(100), '"': '"[' };
  expect(parseJson(JSON.stringify(brackets))).toEqual(brackets);
});

test("128 levels are parsed, 129 are refused", () => {
  const nested = (n: number) => `${"[".repeat(n)}${"]".repeat(n)}`;
  expect(Array.isArray(parseJson(nested(128)))).toBe(true);
  expect(() => parseJson(nested(129))).toThrow(SyntaxError);
  expect(() => parseJson("{")).toThrow(SyntaxError);
});

test("an error can be described whatever it got", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  for (const got of [deep, 2n ** 70n, { big: 1n }, Symbol("s"), () => 1, undefined, null])
    try {
      fail("a/b", "it failed", { got });
    } catch (error) {
      expect(describeError(error)).toMatch(/^it failed \(a\/b\)/);
    }
});
