// How is a gradient taken through other mathematics than the forward pass: stand-ins that give way
// to what they stand for once the gradient is written down.
import { input, type Value } from "../../graph/index.ts";
import { defineOp, withInputs } from "../../graph/op.ts";
import { reachable } from "../../graph/value.ts";

export interface Surrogates {
  /** The same number, of which no gradient is taken. */
  stop(value: Value): Value;
  /** `value` forward, and backward the gradient of `like`, which has the same shape. */
  instead(value: Value, like: Value): Value;
  /** Another value with the same numbers, which nothing looks through; gradients pass. */
  twin(value: Value): Value;
  /** The values with every stand-in replaced: from here on, only true values are computed. */
  settle(values: readonly Value[]): Value[];
}

/** Always a stand-in: it never gets into a program. */
const makeTwin = defineOp<object>({
  name: "twin",
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  vjp: (grad) => [grad],
  lower: (_to, _node, [x]) => x!,
  reference: ([x]) => x!,
});

export function surrogates(): Surrogates {
  const standsFor = new Map<number, Value>();
  let made = 0;
  const instead = (value: Value, like: Value): Value => {
    standsFor.set(like.id, value);
    return like;
  };
  return {
    instead,
    twin: (value) => instead(value, makeTwin([value], {})),
    stop(value) {
      made += 1;
      const held = input(`held ${made}`, value.dtype, value.shape);
      return instead(value, held);
    },
    settle(values) {
      const now = new Map<number, Value>();
      // A stand-in is made after what it stands for, so in order of creation that is settled first.
      for (const value of reachable([...values, ...standsFor.values()])) {
        const truth = standsFor.get(value.id);
        now.set(
          value.id,
          truth === undefined
            ? withInputs(
                value,
                value.inputs.map(({ id }) => now.get(id)!),
              )
            : now.get(truth.id)!,
        );
      }
      return values.map(({ id }) => now.get(id)!);
    },
  };
}
