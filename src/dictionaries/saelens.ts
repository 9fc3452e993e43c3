// Dictionaries on disk as SAELens lays them out: cfg.json and sae_weights.safetensors.
import { check, fail } from "../base/errors.ts";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type Dictionary, foldScale, makeDictionary } from "./dictionary.ts";

/** The version whose layout this is; files that say less than 6 are read by other rules. */
const layoutVersion = "6.54.12";

const weightsKey = (prefix: string): string => `${prefix}/sae_weights.safetensors`;
const configKey = (prefix: string): string => `${prefix}/cfg.json`;

/** Writes with scale folded in, so any tool that reads SAELens files computes the same; cfg.json comes last. */
export async function saveDictionary(
  store: Store,
  prefix: string,
  dictionary: Dictionary,
): Promise<void> {
  const { d_in, d_sae, k, W_enc, b_enc, W_dec, b_dec, metadata } = foldScale(dictionary);
  await writeSafetensors(store, weightsKey(prefix), {
    W_enc: tensor("float32", [d_in, d_sae], W_enc),
    b_enc: tensor("float32", [d_sae], b_enc),
    W_dec: tensor("float32", [d_sae, d_in], W_dec),
    b_dec: tensor("float32", [d_in], b_dec),
  });
  await putJson(store, configKey(prefix), {
    architecture: "topk",
    d_in,
    d_sae,
    k,
    dtype: "float32",
    device: "cpu",
    apply_b_dec_to_input: true,
    normalize_activations: "none",
    reshape_activations: "none",
    rescale_acts_by_decoder_norm: false,
    metadata: {
      sae_lens_version: layoutVersion,
      ...(metadata.model === undefined ? {} : { model_name: metadata.model }),
      ...(metadata.site === undefined ? {} : { hook_name: metadata.site }),
      micrographia: metadata,
    },
  });
}

/**
 * Reads what `saveDictionary` or SAELens 6 wrote, for TopK. Whatever would change the mathematics and is not
 * understood is refused: `format/saelens`, `format/saelens-architecture`.
 */
export async function loadDictionary(store: Store, prefix: string): Promise<Dictionary> {
  const where = `${store.name}/${configKey(prefix)}`;
  const config = parse(await getText(store, configKey(prefix)), where);
  const metadata = (config.metadata ?? {}) as Record<string, unknown>;
  const version = String(metadata.sae_lens_version ?? config.sae_lens_version ?? "");
  check(Number.parseInt(version, 10) >= 6, "format/saelens", "this file is older than SAELens 6", {
    where,
    got: version || "no version",
    wanted: "sae_lens_version 6 or later",
    hint: "load it in SAELens and save it again",
  });
  check(
    config.architecture === "topk",
    "format/saelens-architecture",
    "this kind of dictionary is not read yet",
    { where, got: config.architecture, wanted: "topk" },
  );
  for (const [name, known] of Object.entries(understood))
    check(
      config[name] === undefined || known.includes(config[name]),
      "format/saelens",
      `${name} has a value that would change the result`,
      { where, got: config[name], wanted: known.join(" or ") },
    );
  const weights = await readWeights(store, weightsKey(prefix));
  const { d_in, d_sae, k } = config as { d_in: number; d_sae: number; k: number };
  const read = makeDictionary(
    { architecture: "topk", d_in, d_sae, k, ...weights, scale: 1, metadata: origin(metadata) },
    where,
  );
  const unit = config.rescale_acts_by_decoder_norm === true ? unitDecoder(read) : read;
  return config.apply_b_dec_to_input === false ? subtractingBias(unit) : unit;
}

/** Fields that change the mathematics, with the values whose meaning is implemented. */
const understood: Record<string, readonly unknown[]> = {
  normalize_activations: ["none"],
  reshape_activations: ["none", "hook_z"],
  apply_b_dec_to_input: [true, false],
  rescale_acts_by_decoder_norm: [true, false],
};

function parse(text: string, where: string): Record<string, unknown> {
  try {
    const config = JSON.parse(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config;
  } catch (cause) {
    fail("format/saelens", "cfg.json is not JSON", { where, cause });
  }
  return fail("format/saelens", "cfg.json is not an object", { where });
}

async function readWeights(store: Store, key: string) {
  const { tensors } = await readSafetensors(store, key);
  const floats = (name: string): Float32Array => {
    const found: Tensor | undefined = tensors[name];
    check(found !== undefined, "format/saelens", `the weights lack ${name}`, {
      where: `${store.name}/${key}`,
      got: Object.keys(tensors).join(", "),
    });
    return toFloat32(found).data;
  };
  return {
    W_enc: floats("W_enc"),
    b_enc: floats("b_enc"),
    W_dec: floats("W_dec"),
    b_dec: floats("b_dec"),
  };
}

function origin(metadata: Record<string, unknown>): Record<string, unknown> {
  const ours = metadata.micrographia;
  if (typeof ours === "object" && ours !== null) return ours as Record<string, unknown>;
  const { model_name, hook_name, ...rest } = metadata;
  return { ...rest, model: model_name, site: hook_name };
}

/** Pre-activations times ‖row‖ before the top k, activations divided by it after: fold the norms in. */
function unitDecoder(dictionary: Dictionary): Dictionary {
  const { d_in, d_sae } = dictionary;
  const W_enc = dictionary.W_enc.slice();
  const W_dec = dictionary.W_dec.slice();
  const b_enc = dictionary.b_enc.slice();
  for (let f = 0; f < d_sae; f++) {
    const row = W_dec.subarray(f * d_in, (f + 1) * d_in);
    let square = 0;
    for (const w of row) square += w * w;
    // A dead row stays what it is; SAELens clamps at the same value.
    const norm = Math.max(Math.sqrt(square), 1e-8);
    for (let c = 0; c < d_in; c++) {
      row[c]! /= norm;
      W_enc[c * d_sae + f]! *= norm;
    }
    b_enc[f]! *= norm;
  }
  return makeDictionary({ ...dictionary, W_enc, W_dec, b_enc });
}

/** x · W_enc + b_enc = (x − b_dec) · W_enc + (b_enc + b_dec · W_enc) */
function subtractingBias(dictionary: Dictionary): Dictionary {
  const { d_in, d_sae, W_enc, b_dec } = dictionary;
  const b_enc = Float64Array.from(dictionary.b_enc);
  for (let c = 0; c < d_in; c++)
    for (let f = 0; f < d_sae; f++) b_enc[f]! += b_dec[c]! * W_enc[c * d_sae + f]!;
  return makeDictionary({ ...dictionary, b_enc: Float32Array.from(b_enc) });
}
