// What does a new number in an intervention of a known shape cost us, beyond the engine's own run?
import { random } from "../src/base/random.ts";
import { runWithCache, steer } from "../src/hooks/index.ts";
import { openModel } from "../src/models/index.ts";
import { type Backend, ortBackend } from "../src/runtime/index.ts";
import { tensor } from "../src/tensor/index.ts";
import { gpt2Folder, shape } from "./lib/gpt2.ts";
import { median, say, size } from "./lib/line.ts";

const laps = size("LAPS", 50);
let inEngine = 0;

/** The same backend with its runs timed. */
function timed(backend: Backend): Backend {
  return {
    ...backend,
    async compile(program, options) {
      const made = await backend.compile(program, options);
      return {
        ...made,
        async run(feeds, into) {
          const began = performance.now();
          const out = await made.run(feeds, into);
          inEngine += performance.now() - began;
          return out;
        },
      };
    },
  };
}

const backend = timed(ortBackend());
const model = await openModel(await gpt2Folder(), { tokenizer: null });
const tokens = tensor(
  "int32",
  [1, 32],
  Int32Array.from({ length: 32 }, (_, i) => 101 * i),
);
const rng = random(1);
const ours: number[] = [];
for (let lap = 0; lap <= laps; lap++) {
  const values = Array.from({ length: shape.d_model }, () => rng.normal());
  const by = steer("blocks.6.hook_resid_post", values, lap);
  inEngine = 0;
  const began = performance.now();
  await runWithCache(model, backend, tokens, {
    sites: ["blocks.11.hook_resid_post"],
    interventions: [by],
  });
  if (lap > 0) ours.push(performance.now() - began - inEngine);
}
say({
  claim: "a new intervention of a known shape costs less than 1 ms beside the engine's run",
  ours: median(ours),
  peer: null,
  ratio: null,
  bar: 1,
  ok: median(ours) < 1,
  setting: `GPT-2 small shape, 1 × 32, a new direction and strength at one site, ${laps} times; median, ms`,
});
