// Do runs of every family agree that must: later tokens, other rows and padding change nothing that they should not?
import { afterAll, describe, expect, test } from "vitest";
import { findSite, type Model, sitesOf } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { distance } from "./rows.ts";
import {
  decoders,
  drawTokens,
  encoders,
  everything,
  int32,
  tokenRows,
} from "./subjects.fixture.ts";

const ort = ortBackend({ threads: 1 });
afterAll(() => ort.release());
const allowed = 1e-5;
type Values = Record<string, Tensor<"float32">>;

/** The ranges of one row, and of the positions that are kept along every axis that counts them. */
interface Part {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

/** Numbers of a site, or of logits [batch, pos, d_vocab], in one part. */
function within(model: Model, name: string, values: Values, { row, from, to }: Part): number[] {
  const { shape, data } = values[name]!;
  const known = sitesOf(model.config).includes(name);
  const axes = known ? findSite(model.config, name).row.axes : ["batch", "pos", "d_vocab"];
  const kept: number[] = [];
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let inside = true;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const at = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
      const of = axes[axis];
      if (of === "batch") inside &&= at === row;
      if (of === "pos" || of === "query" || of === "key") inside &&= at >= from && at < to;
    }
    if (inside) kept.push(data[i]!);
  }
  return kept;
}

function differing(model: Model, [a, of]: [Values, Part], [b, by]: [Values, Part], most: number) {
  const names = [...sitesOf(model.config), ...(model.config.encoder ? [] : ["logits"])];
  return names.filter((name) => {
    const [x, y] = [within(model, name, a, of), within(model, name, b, by)];
    return x.length === 0 || !(distance(x, y) <= most);
  });
}

describe.each((await decoders()).map((one) => [one.name, one] as const))("%s", (_, { open }) => {
  test("later tokens and other rows do not change a bit of what came before", async () => {
    const model = await open();
    const [first, second] = tokenRows(drawTokens([2, 12], model.config.d_vocab));
    const other = tokenRows(drawTokens([2, 12], model.config.d_vocab, 6));
    const late = [...first!.slice(0, 7), ...other[0]!.slice(7)];
    const before = await everything(model, ort, { tokens: int32([first!, second!]) });
    const after = await everything(model, ort, { tokens: int32([late, other[1]!]) });
    const early = { row: 0, from: 0, to: 7 };
    expect(differing(model, [after, early], [before, early], 0)).toEqual([]);
    // What may change does.
    const end = { row: 0, from: 7, to: 12 };
    expect(differing(model, [after, end], [before, end], 1e-3)).toContain("logits");
  });

  test("a row behind padding, beside another, is the row alone", async () => {
    const model = await open();
    const [whole, short] = tokenRows(drawTokens([2, 9], model.config.d_vocab));
    const row = short!.slice(3);
    const mask = int32([Array(9).fill(1), [0, 0, 0, ...Array(6).fill(1)]]);
    const tokens = int32([whole!, [0, 0, 0, ...row]]);
    const padded = await everything(model, ort, { tokens, attention_mask: mask });
    const alone = await everything(model, ort, { tokens: int32([row]) });
    const [behind, all] = [
      { row: 1, from: 3, to: 9 },
      { row: 0, from: 0, to: 6 },
    ];
    expect(differing(model, [padded, behind], [alone, all], allowed)).toEqual([]);
    for (const site of sitesOf(model.config).filter((name) => name.endsWith("hook_pattern"))) {
      const { shape, data } = padded[site]!;
      const heads = shape[1]!;
      // Of the padded row nobody looks at the padding.
      const there = data.filter((_, i) => i % 9 < 3 && Math.floor(i / 81 / heads) === 1);
      expect(there.every((x) => x === 0)).toBe(true);
    }
  });
});

describe.each((await encoders()).map((one) => [one.name, one] as const))("%s", (_, subject) => {
  test("another row does not change a bit, and neither does what is behind a text", async () => {
    const model = await subject.open();
    const feeds = subject.feeds(model);
    const before = await everything(model, ort, feeds);
    const changed = Object.fromEntries(
      Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
        const copy = data.slice() as Float32Array;
        const row = copy.length / shape[0]!;
        // The last row becomes the first.
        copy.copyWithin(copy.length - row, 0, row);
        return [name, { dtype, shape, data: copy } as Tensor];
      }),
    );
    const after = await everything(model, ort, changed);
    const n_ctx = Math.max(...Object.values(before).map(({ shape }) => shape[1] ?? 0));
    const first = { row: 0, from: 0, to: n_ctx };
    expect(differing(model, [after, first], [before, first], 0)).toEqual([]);
    if (model.config.encoder!.image !== undefined) return;
    const { tokens, token_types } = feeds as Record<string, Tensor<"int32">>;
    const longer = (of: Tensor<"int32">, by: number) =>
      int32(tokenRows(of).map((row) => [...row, by, by]));
    const padded = {
      tokens: longer(tokens!, 3),
      ...(token_types && { token_types: longer(token_types, 0) }),
      attention_mask: int32(tokenRows(tokens!).map((row) => [...row.map(() => 1), 0, 0])),
    };
    const behind = await everything(model, ort, padded);
    const own = { row: 0, from: 0, to: tokens!.shape[1]! };
    expect(differing(model, [behind, own], [before, own], allowed)).toEqual([]);
  });
});
