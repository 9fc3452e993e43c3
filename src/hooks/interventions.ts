// How a value inside a model is changed: records that say what to put at which site.
import { fail } from "../base/errors.ts";
import { constant, input, mul, type Value } from "../graph/index.ts";
import { findSite, type ModelConfig, type Tap } from "../models/index.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";

export type Intervention =
  /** Puts a tensor there: shaped like the site, its first axis the rows that are run. */
  | { readonly kind: "replace"; readonly site: string; readonly with: Tensor<"float32"> }
  /** Puts zeros there. */
  | { readonly kind: "ablate"; readonly site: string }
  /** Any graph edit: value → value of the same shape. */
  | { readonly kind: "edit"; readonly site: string; readonly edit: (value: Value) => Value };

export const replaceWith = (site: string, value: Tensor<"float32">): Intervention => ({
  kind: "replace",
  site,
  with: value,
});

export const ablate = (site: string): Intervention => ({ kind: "ablate", site });

export const edit = (site: string, change: (value: Value) => Value): Intervention => ({
  kind: "edit",
  site,
  edit: change,
});

/** What the interventions come to in a graph: a tap, and the inputs that replacements are fed to. */
export function tapOf(
  config: ModelConfig,
  interventions: readonly Intervention[],
): { tap: Tap; inputs: Value[] } {
  for (const { site } of interventions) findSite(config, site);
  const inputs: Value[] = [];
  const tap: Tap = (site, value) => {
    let out = value;
    interventions.forEach((intervention, i) => {
      if (intervention.site !== site) return;
      out = apply(intervention, out, feedName(i), inputs);
      if (out.shape.join() !== value.shape.join())
        fail("shape/intervention", "an intervention changed the shape of a site", {
          where: site,
          got: `[${out.shape.join(", ")}]`,
          wanted: `[${value.shape.join(", ")}]`,
        });
    });
    return out;
  };
  return { tap, inputs };
}

/** The input that the i-th intervention's tensor is fed to. */
export function feedName(i: number): string {
  return `intervention ${i}`;
}

function apply(by: Intervention, value: Value, name: string, inputs: Value[]): Value {
  if (by.kind === "edit") return by.edit(value);
  // A product with zero and not a constant: nothing else in the graph has to know the shape.
  if (by.kind === "ablate") return mul(value, constant(f32([], [0])));
  const fed = input(name, "float32", value.shape);
  inputs.push(fed);
  return fed;
}
