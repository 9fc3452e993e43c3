import { expect, test } from "vitest";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "./half.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

test("all 65,536 half values survive widening and narrowing, NaN aside", () => {
  const wide = widenF16(all);
  const back = narrowF16(wide);
  for (let h = 0; h < 65536; h++) {
    if (Number.isNaN(wide[h])) expect(back[h]! & 0x7fff).toBe(0x7e00);
    else if (back[h] !== h) expect.fail(`${h} → ${wide[h]} → ${back[h]}`);
  }
});

test("known halves have their IEEE values", () => {
  const bits = Uint16Array.of(
    0x3c00,
    0xc000,
    0x7bff,
    0x0001,
    0x03ff,
    0x0400,
    0x3555,
    0x7c00,
    0x8000,
  );
  const values = [1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0.333251953125, Infinity, -0];
  expect([...widenF16(bits)]).toEqual(values);
});

test("narrowing to half picks the nearest neighbour, and the even one halfway, at every gap", () => {
  // Midpoints of neighbouring halves are exact in float32, as are their own float neighbours.
  const wide = widenF16(all);
  for (let h = 0; h < 0x7bff; h++) {
    const middle = (wide[h]! + wide[h + 1]!) / 2;
    const step = new Float32Array([middle, middle, middle]);
    const bits = new Uint32Array(step.buffer);
    bits[0]!--;
    bits[2]!++;
    const got = narrowF16(step);
    const even = h % 2 === 0 ? h : h + 1;
    if (got[0] !== h || got[1] !== even || got[2] !== h + 1) expect.fail(`gap ${h}: ${got}`);
  }
  expect([...narrowF16(Float32Array.of(65519.99, 65520, 1e30, -1e30))]).toEqual([
    0x7bff, 0x7c00, 0x7c00, 0xfc00,
  ]);
});

test("all bfloat16 values survive, and rounding is to nearest even", () => {
  const wide = widenBF16(all);
  const back = narrowBF16(wide);
  for (let h = 0; h < 65536; h++)
    if (!Number.isNaN(wide[h]) && back[h] !== h) expect.fail(`${h} → ${back[h]}`);
  // 1 + 2^-8 lies halfway between 0x3f80 and 0x3f81; 1 + 3·2^-8 between 0x3f81 and 0x3f82.
  expect([
    ...narrowBF16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20)),
  ]).toEqual([0x3f80, 0x3f82, 0x3f81]);
  expect(Number.isNaN(widenBF16(narrowBF16(Float32Array.of(Number.NaN)))[0])).toBe(true);
});
