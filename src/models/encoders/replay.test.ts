// Do values of an encoder that are put back give the same bits, and is nothing left of a change?
import { afterAll, expect, test } from "vitest";
import { constant, mul } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { sitesOf } from "../sites.ts";
import { encoderGoldens, feedsOf, openGolden } from "./parity.fixture.ts";
import { runEncoder } from "./run.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const goldens = await encoderGoldens();

type Values = Readonly<Record<string, Tensor<"float32"> | undefined>>;

function differing(a: Values, b: Values): string[] {
  const bits = ({ data }: Tensor<"float32">) => new Int32Array(data.slice().buffer);
  const same = (name: string) => {
    const [x, y] = [bits(a[name]!), bits(b[name]!)];
    return x.length === y.length && x.every((bit, i) => bit === y[i]);
  };
  return Object.keys(a).filter((name) => !same(name));
}

test.each(goldens.map((golden) => [golden.name, golden] as const))(
  "%s: every site put back is every bit; a change moves the outputs and is gone without it",
  async (_, golden) => {
    const model = await openGolden(golden);
    const sites = sitesOf(model.config);
    const feeds = feedsOf(golden, "in");
    const before = await runEncoder(model, backend, feeds, { sites });
    const { cache, outputs } = before;
    expect(Object.keys(cache).sort()).toEqual([...sites].sort());

    const again = await runEncoder(model, backend, feeds, {
      sites,
      // Put back, what the heads write is summed in another order: only that site is left alone.
      tap: (site, value) => (site.endsWith("hook_result") ? value : constant(cache[site]!)),
    });
    expect(differing(cache, again.cache).filter((name) => !name.endsWith("hook_result"))).toEqual(
      [],
    );
    expect(differing(outputs, again.outputs)).toEqual([]);

    const changed = await runEncoder(model, backend, feeds, {
      tap: (site, value) => (site === "blocks.0.hook_mlp_out" ? mul(value, 0) : value),
    });
    expect(differing(outputs, changed.outputs)).toContain("hidden");
    const after = await runEncoder(model, backend, feeds, { sites });
    expect(differing(cache, after.cache)).toEqual([]);
    expect(differing(outputs, after.outputs)).toEqual([]);
  },
  20_000,
);
