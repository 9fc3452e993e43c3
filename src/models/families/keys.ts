// What a Hugging Face config.json says, key by key, and whether a key was left that counts.
import { check, fail } from "../../base/errors.ts";
import { type ActFn, actFns } from "../config.ts";

export interface Keys {
  readonly where: string;
  /** Undefined where the key is absent or null. */
  get(name: string): unknown;
  size(name: string, or?: number): number;
  number(name: string, or?: number): number;
  optional(name: string): number | undefined;
  flag(name: string, or: boolean): boolean;
  list(name: string): readonly unknown[] | undefined;
  record(name: string): Readonly<Record<string, unknown>> | undefined;
  act(name: string, or?: string): ActFn;
  /** Refuses any other value than these: for variants that nobody has built. */
  only(name: string, ...values: readonly unknown[]): void;
  /** Keys of this family that do not change what is computed here. */
  ignore(...names: readonly string[]): void;
  /** Refuses what nobody read. */
  finish(): void;
}

// Names of files, tokens, training, generation and reporting: nothing that a forward pass reads.
const harmless = new RegExp(
  `^(${[
    "_.*",
    "architectures model_type transformers_version torch_dtype dtype auto_map use_cache",
    "(bos|eos|pad|sep|unk|mask|decoder_start|forced_.*|image|video|vision_.*)_token_(id|index)",
    "initializer_range initializer_factor init_std .*(dropout|pdrop)(_rate|_prob)? gradient_checkpointing",
    "output_(attentions|hidden_states|scores|router_logits) return_dict(_in_generate)? torchscript",
    "id2label label2id num_labels problem_type finetuning_task task_specific_params",
    "tokenizer_class prefix chunk_size_feed_forward pretraining_tp use_bfloat16 tf_legacy_loss",
    "attn_implementation summary_.* keys_to_ignore_at_inference quantizer reorder_and_upcast_attn",
    "(min_|max_)?length do_sample early_stopping num_beams(_groups)? diversity_penalty temperature",
    "top_[kp] typical_p repetition_penalty length_penalty (encoder_)?no_repeat_ngram_size",
    "bad_words_ids num_return_sequences (exponential_decay_length|suppress|begin_suppress).*",
    "remove_invalid_values router_aux_loss_coef router_jitter_noise input_jitter_noise",
    "max_new_tokens scale_attn_weights_note name_or_path language license",
  ]
    .join(" ")
    .split(" ")
    .join("|")})$`,
);

const neutral: Readonly<Record<string, readonly unknown[]>> = {
  is_decoder: [true, false],
  is_encoder_decoder: [false],
  add_cross_attention: [false],
  cross_attention_hidden_size: [],
  tie_encoder_decoder: [false],
  pruned_heads: [],
};

const mostLayers = 1024;

/** The names that Hugging Face gives to ours. */
const acts: Readonly<Record<string, ActFn>> = {
  swish: "silu",
  gelu_pytorch_tanh: "gelu_new",
  gelu_fast: "gelu_new",
  gelu_python: "gelu",
  relu_squared: "relu2",
};

export function keysOf(json: Readonly<Record<string, unknown>>, where: string): Keys {
  const seen = new Set<string>();
  const get = (name: string): unknown => {
    seen.add(name);
    return json[name] ?? undefined;
  };
  const wrong = (name: string, got: unknown, wanted: string): never =>
    fail("model/config", `${name} is not what it should be`, { where, got, wanted });
  const number = (name: string, or?: number): number => {
    const got = get(name) ?? or;
    if (typeof got !== "number" || !Number.isFinite(got)) return wrong(name, got, "a number");
    return got;
  };
  const keys: Keys = {
    where,
    get,
    number,
    size(name, or) {
      const got = number(name, or);
      // Lists have an entry a layer: a config that lies must not fill the memory.
      const fits = Number.isSafeInteger(got) && got > 0;
      if (fits && (got <= mostLayers || !/layer/.test(name))) return got;
      return wrong(name, got, fits ? `at most ${mostLayers}` : "a positive integer");
    },
    optional: (name) => (get(name) === undefined ? undefined : number(name)),
    flag(name, or) {
      const got = get(name) ?? or;
      return typeof got === "boolean" ? got : wrong(name, got, "true or false");
    },
    list(name) {
      const got = get(name);
      return got === undefined || Array.isArray(got) ? got : wrong(name, got, "a list");
    },
    record(name) {
      const got = get(name);
      if (got === undefined) return undefined;
      const holds = typeof got === "object" && !Array.isArray(got);
      return holds ? (got as Record<string, unknown>) : wrong(name, got, "an object");
    },
    act(name, or) {
      const got = get(name) ?? or;
      const known = acts[got as string] ?? (got as ActFn);
      return actFns.includes(known) ? known : wrong(name, got, actFns.join(", "));
    },
    only(name, ...values) {
      const got = get(name);
      if (got === undefined || values.some((one) => sameJson(one, got))) return;
      fail("model/config-unsupported", `${name} changes the mathematics in a way we lack`, {
        where,
        got,
        wanted: values.map((one) => JSON.stringify(one)).join(" or ") || "nothing",
      });
    },
    ignore(...names) {
      for (const name of names) seen.add(name);
    },
    finish() {
      for (const [name, values] of Object.entries(neutral)) {
        const got = json[name] ?? undefined;
        const empty = typeof got === "object" && Object.keys(got as object).length === 0;
        if (!seen.has(name) && !empty) keys.only(name, ...values);
        seen.add(name);
      }
      const odd = Object.keys(json).filter(
        (name) => !seen.has(name) && !harmless.test(name) && json[name] !== null,
      );
      check(
        odd.length === 0,
        "model/config-unknown",
        "settings that could change the mathematics",
        {
          where,
          got: odd.join(", "),
          wanted: "keys that this family is known to have",
        },
      );
    },
  };
  return keys;
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Leaves out what is undefined: a config is hashed with its keys. */
export function present<T extends object>(config: T): T {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T;
}
