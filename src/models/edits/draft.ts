// What edits write to: copies of the tensors they touch, over weights that nobody writes.
import { createHash } from "node:crypto";
import { check } from "../../base/errors.ts";
import { type Tensor, tensor, zeros } from "../../tensor/tensor.ts";
import type { Biases, Model, ModelConfig } from "../config.ts";
import { readWeight } from "../parameters.ts";
import { weightShapes } from "../weight-shapes.ts";

export interface Draft {
  /** With the biases that were added. */
  readonly config: ModelConfig;
  has(name: string): boolean;
  /** As it stands after the edits so far; not to be written. */
  read(name: string): Promise<Tensor<"float32">>;
  /** The same, ours to write. */
  own(name: string): Promise<Tensor<"float32">>;
  put(name: string, value: Tensor<"float32">): void;
  /** Biases of zero in every layer, where the model has none: the same predictions. */
  addBiases(of: keyof Biases): void;
  /** Names and tensors of all that differs in a bit from the model's own. */
  changed(): Promise<Record<string, Tensor<"float32">>>;
}

export function draftOf(model: Model): Draft {
  const owned = new Map<string, Tensor<"float32">>();
  let { config } = model;
  const draft: Draft = {
    get config() {
      return config;
    },
    has: (name) => owned.has(name) || Object.hasOwn(model.weights, name),
    async read(name) {
      check(draft.has(name), "edit/weight", `the model has no weight ${name}`, {
        where: model.config.name,
        got: name,
        wanted: likely(name, Object.keys(model.weights)),
      });
      return owned.get(name) ?? (await readWeight(model, name));
    },
    async own(name) {
      const mine = owned.get(name);
      if (mine !== undefined) return mine;
      const { shape, data } = await draft.read(name);
      const copy = tensor("float32", shape, data.slice());
      owned.set(name, copy);
      return copy;
    },
    put: (name, value) => void owned.set(name, value),
    addBiases(of) {
      config = { ...config, biases: { ...config.biases, [of]: true } };
      for (const [name, shape] of Object.entries(weightShapes(config)))
        if (!draft.has(name)) owned.set(name, zeros("float32", shape));
    },
    async changed() {
      const out: Record<string, Tensor<"float32">> = {};
      for (const [name, value] of [...owned].sort(([a], [b]) => (a < b ? -1 : 1)))
        if (!Object.hasOwn(model.weights, name) || !sameBits(value, await readWeight(model, name)))
          out[name] = value;
      return out;
    },
  };
  return draft;
}

export function hashTensor({ data }: Tensor<"float32">): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex");
}

/** 0 and −0 differ, and so do two NaNs: it is the bits that return. */
function sameBits(a: Tensor<"float32">, b: Tensor<"float32">): boolean {
  const bits = ({ data }: Tensor<"float32">) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bits(a).equals(bits(b));
}

/** Names that end alike: `blocks.9.attn.W_Q` → the W_Q of the blocks there are. */
function likely(name: string, names: readonly string[]): string {
  const end = name.split(".").at(-1)!.toLowerCase();
  const alike = names.filter((other) => other.toLowerCase().endsWith(end));
  return (alike.length > 0 ? alike : names).slice(0, 4).join(", ");
}
