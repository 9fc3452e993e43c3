// How SmolLM3 is read: a Llama some of whose layers do not know positions.
import type { Family } from "./family.ts";
import { llamaConfig, llamaWeights, windowKeys } from "./llama-layout.ts";

export const smollm3: Family = {
  name: "smollm3",
  types: ["smollm3"],
  readConfig(keys) {
    const attention = keys.flag("attention_bias", false);
    const mlp = keys.flag("mlp_bias", false);
    const config = llamaConfig(keys, "smollm3", { base: 2_000_000, tied: true });
    const every = keys.size("no_rope_layer_interval", 4);
    const listed = keys.list("no_rope_layers") as number[] | undefined;
    const windowed = keys.flag("use_sliding_window", false);
    const found = windowKeys(keys, config);
    return {
      ...config,
      biases: { qkv: attention, o: attention, mlp, unembed: false },
      // 1 stands for a layer that does turn, in spite of the name.
      rotary_layers: Array.from({ length: config.n_layers }, (_, l) =>
        listed === undefined ? (l + 1) % every !== 0 : listed[l] === 1,
      ),
      ...(windowed ? found : {}),
    };
  },
  weights: (config, has) => llamaWeights(config, has),
};
