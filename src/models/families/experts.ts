// How mixtures of experts are read: Mixtral, Qwen3-MoE and gpt-oss.
import { hasExperts, type ModelConfig } from "../config.ts";
import { reshaped, sliced, transposed, type View, view } from "../views.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { turned } from "./layout.ts";
import { llamaConfig, llamaWeights, plainMlp, windowKeys } from "./llama-layout.ts";
import { qwen3Config } from "./qwen.ts";

type Views = Record<string, View>;

function perExpert(config: ModelConfig, of: (e: number) => Views): Views {
  const list = Array.from({ length: config.experts!.n_experts }, (_, e) => of(e));
  return Object.assign({}, ...list);
}

export const mixtral: Family = {
  name: "mixtral",
  types: ["mixtral"],
  readConfig(keys) {
    const config = llamaConfig(keys, "mixtral");
    return {
      ...config,
      ...windowKeys(keys, config),
      experts: {
        n_experts: keys.size("num_local_experts", 8),
        k: keys.size("num_experts_per_tok", 2),
        gating: "softmax",
        normalize: true,
      },
    };
  },
  weights: (config, has) =>
    llamaWeights(config, has, {
      mlp(_, at, from) {
        // The tensors were renamed from block_sparse_moe with w1, w3, w2.
        const old = from.replace(/mlp$/, "block_sparse_moe");
        const place = has(`${old}.gate.weight`) ? old : from;
        const older = has(`${place}.experts.0.w1.weight`);
        const [gate, up, down] = older ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"];
        return {
          [`${at}.router.W`]: view(`${place}.gate.weight`, turned),
          ...perExpert(config, (e) => ({
            [`${at}.experts.${e}.W_gate`]: view(`${place}.experts.${e}.${gate}.weight`, turned),
            [`${at}.experts.${e}.W_in`]: view(`${place}.experts.${e}.${up}.weight`, turned),
            [`${at}.experts.${e}.W_out`]: view(`${place}.experts.${e}.${down}.weight`, turned),
          })),
        };
      },
    }),
};

export const qwen3Moe: Family = {
  name: "qwen3_moe",
  types: ["qwen3_moe"],
  readConfig(keys) {
    const config = qwen3Config(keys, "qwen3_moe");
    const every = keys.size("decoder_sparse_step", 1);
    const plain = keys.list("mlp_only_layers") ?? [];
    const layers = Array.from(
      { length: config.n_layers },
      (_, l) => !plain.includes(l) && (l + 1) % every === 0,
    );
    const named = keys.get("num_local_experts") === undefined ? "num_experts" : "num_local_experts";
    keys.ignore("num_experts");
    return {
      ...config,
      experts: present({
        n_experts: keys.size(named),
        k: keys.size("num_experts_per_tok"),
        gating: "softmax" as const,
        normalize: keys.flag("norm_topk_prob", false),
        d_expert: keys.size("moe_intermediate_size"),
        layers: layers.includes(false) ? layers : undefined,
      }),
    };
  },
  weights: (config, has) =>
    llamaWeights(config, has, {
      mlp(_, at, from, layer) {
        if (!hasExperts(config, layer)) return plainMlp(config, at, from, layer);
        return {
          [`${at}.router.W`]: view(`${from}.gate.weight`, turned),
          ...perExpert(config, (e) =>
            plainMlp(config, `${at}.experts.${e}`, `${from}.experts.${e}`, layer),
          ),
        };
      },
    }),
};

export const gptOss: Family = {
  name: "gpt_oss",
  types: ["gpt_oss"],
  readConfig(keys) {
    const biased = keys.flag("attention_bias", true);
    const config = llamaConfig(keys, "gpt_oss", { base: 150000 });
    keys.ignore("experts_per_token", "initial_context_length", "swiglu_limit", "swiglu_alpha");
    return {
      ...config,
      ...windowKeys(keys, config, (layer) => layer % 2 === 0),
      biases: { qkv: biased, o: biased, mlp: false, unembed: false },
      attn_sinks: true,
      experts: {
        n_experts: keys.size("num_local_experts"),
        k: keys.size("num_experts_per_tok"),
        gating: "chosen",
        biases: true,
        clamped: {
          alpha: keys.number("swiglu_alpha", 1.702),
          limit: keys.number("swiglu_limit", 7),
        },
      },
    };
  },
  weights: (config, has) =>
    llamaWeights(config, has, {
      mlp({ d_model, d_mlp }, at, from) {
        const all = `${from}.experts`;
        // Gate and linear side alternate along the last axis.
        const side = (e: number, i: number): Views => {
          const name = i === 0 ? "gate" : "in";
          return {
            [`${at}.experts.${e}.W_${name}`]: view(
              `${all}.gate_up_proj`,
              sliced(0, e, e + 1),
              reshaped(d_model, d_mlp, 2),
              sliced(2, i, i + 1),
              reshaped(d_model, d_mlp),
            ),
            [`${at}.experts.${e}.b_${name}`]: view(
              `${all}.gate_up_proj_bias`,
              sliced(0, e, e + 1),
              reshaped(d_mlp, 2),
              sliced(1, i, i + 1),
              reshaped(d_mlp),
            ),
          };
        };
        return {
          [`${at}.router.W`]: view(`${from}.router.weight`, transposed(1, 0)),
          [`${at}.router.b`]: view(`${from}.router.bias`),
          ...perExpert(config, (e) => ({
            ...side(e, 0),
            ...side(e, 1),
            [`${at}.experts.${e}.W_out`]: view(
              `${all}.down_proj`,
              sliced(0, e, e + 1),
              reshaped(d_mlp, d_model),
            ),
            [`${at}.experts.${e}.b_out`]: view(
              `${all}.down_proj_bias`,
              sliced(0, e, e + 1),
              reshaped(d_model),
            ),
          })),
        };
      },
    }),
};
