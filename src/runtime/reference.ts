// A program run slowly and in float64: the oracle that the fast backends are tested against.
import { check } from "../base/errors.ts";
import { interpret } from "../graph/interpret.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import type { Backend } from "./backend.ts";
import { checkFeeds, copyInto } from "./feeds.ts";

export function referenceBackend(): Backend {
  return {
    name: "reference",
    async compile(program) {
      let released = false;
      return {
        async run(feeds, into = {}) {
          check(!released, "run/released", "this program was released");
          checkFeeds(program, feeds, into);
          const exact = interpret(program, feeds);
          // Computed in float64, handed out in the dtype that the program declares.
          const results = program.outputs.map(({ name, dtype }): [string, Tensor] => {
            const { dtype: own, shape, data } = exact[name]!;
            const round = dtype === "float32" && own === "float64";
            return [name, round ? f32(shape, data as Float64Array) : exact[name]!];
          });
          return copyInto(Object.fromEntries(results), into);
        },
        async release() {
          released = true;
        },
      };
    },
    async release() {},
  };
}
