// In every family: an edit moves what the model says, and undone, weights and outputs are what they were to the bit.
import { afterAll, expect, test } from "vitest";
import { input, type Program, program } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { hasExperts, type Model } from "../config.ts";
import { encoderGoldens, feedsOf } from "../encoders/parity.fixture.ts";
import { encoderProgram } from "../encoders/run.ts";
import { openModel } from "../open.ts";
import { bindWeights } from "../parameters.ts";
import { listGolden, readGolden } from "../parity.fixture.ts";
import { forward } from "../transformer.ts";
import { weightShapes } from "../weight-shapes.ts";
import { hashTensor } from "./draft.ts";
import type { WeightEdit } from "./edit.ts";
import { editStack, pushEdit, redoEdit, undoEdit, viewStack } from "./stack.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
type Outputs = Readonly<Record<string, Tensor<"float32">>>;

interface Subject {
  readonly name: string;
  readonly open: () => Promise<Model>;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Views over files make a program of each set of edited weights: these three stand for all. */
const inMemory = (name: string): boolean => !["gpt2", "llama", "bert"].includes(name);

const subjects: Subject[] = [
  ...(await Promise.all((await listGolden()).map(readGolden))).map(({ name, folder, tensors }) => ({
    name,
    open: () => openModel(folder, { tokenizer: null, inMemory: inMemory(name) }),
    feeds: { tokens: tensors.tokens! },
  })),
  ...(await encoderGoldens()).map((golden) => ({
    name: golden.name,
    open: () =>
      openModel(golden.folder, {
        tower: golden.tower,
        tokenizer: null,
        inMemory: inMemory(golden.name),
      }),
    feeds: feedsOf(golden, "in") as Readonly<Record<string, Tensor>>,
  })),
];

const programs = new Map<string, Program>();

/** Whatever comes out of the model. */
async function run(model: Model, feeds: Subject["feeds"]): Promise<Outputs> {
  const bound = bindWeights(model);
  const made = programs.get(bound.key) ?? programOf(model, feeds);
  programs.set(bound.key, made);
  const compiled = await backend.compile(made);
  return (await compiled.run({ ...bound.feeds, ...feeds })) as Outputs;
}

function programOf(model: Model, feeds: Subject["feeds"]): Program {
  if (model.config.encoder !== undefined) return encoderProgram(model, { feeds }).program;
  const bound = bindWeights(model);
  const tokens = input("tokens", "int32", feeds.tokens!.shape);
  const { logits } = forward(model.config, bound.values, tokens);
  return program({ inputs: [tokens, ...bound.inputs], outputs: { logits } });
}

/** One of each kind that the model has a place for. */
function editsOf({ config }: Model): WeightEdit[] {
  const shapes = weightShapes(config);
  const ones = (n: number) => Array.from({ length: n }, (_, i) => 1 + (i % 3));
  const { d_model, d_head, n_heads } = config;
  const edits: WeightEdit[] = [
    { kind: "zeroHead", layer: 0, head: n_heads - 1 },
    { kind: "scale", weight: "blocks.1.attn.W_V", axis: 1, index: 2, by: 3 },
    {
      kind: "lowRank",
      weight: "blocks.0.attn.W_Q",
      head: 0,
      left: [ones(d_model)],
      right: [ones(d_head)],
      scale: 0.5,
    },
  ];
  const W = hasExperts(config, 0) ? "blocks.0.mlp.experts.1.W_out" : "blocks.0.mlp.W_out";
  if (shapes[W] !== undefined)
    edits.push({
      kind: "set",
      weight: W,
      at: [
        [0, 0],
        [1, 2],
      ],
      values: [5, -5],
    });
  if (shapes["blocks.0.mlp.W_out"] !== undefined)
    edits.push({ kind: "zeroNeuron", layer: 0, neuron: 3 });
  const norms = config.normalization !== "none" && config.norm_placement !== "post";
  if (norms && config.encoder === undefined) edits.push({ kind: "foldNorms" });
  return edits;
}

const bitsOf = (outputs: Outputs) =>
  Object.entries(outputs).map(([name, value]) => [name, hashTensor(value)]);

function moved(a: Outputs, b: Outputs): number {
  const far = Object.keys(a).flatMap((name) => [
    ...a[name]!.data.map((x, i) => Math.abs(x - b[name]!.data[i]!)),
  ]);
  return far.reduce((most, x) => Math.max(most, x), 0);
}

test.each(subjects)("$name", async ({ open, feeds }) => {
  const model = await open();
  const weights = () =>
    Object.keys(weightShapes(model.config)).map((name) => hashTensor(model.weights[name]!));
  const [stored, before] = [weights(), await run(model, feeds)];
  const edits = editsOf(model);
  let stack = editStack(model);
  const states: { hash: string; bits: unknown }[] = [];
  let last = before;
  for (const edit of edits) {
    stack = pushEdit(stack, edit);
    const view = await viewStack(model, stack);
    const now = await run(view, feeds);
    // A change of coordinates leaves the predictions alone.
    if (edit.kind === "foldNorms") expect(moved(now, last)).toBeLessThan(5e-5);
    else expect(moved(now, last), edit.kind).toBeGreaterThan(1e-3);
    expect(view.hash).not.toBe(states.at(-1)?.hash ?? model.hash);
    states.push({ hash: view.hash, bits: bitsOf(now) });
    last = now;
  }
  // Each step back is the state before it, and the last is the model as it was opened.
  for (let i = edits.length - 2; i >= -1; i--) {
    stack = undoEdit(stack);
    const view = await viewStack(model, stack);
    const { hash, bits } = states[i] ?? { hash: model.hash, bits: bitsOf(before) };
    expect(view.hash).toBe(hash);
    expect(bitsOf(await run(view, feeds))).toEqual(bits);
  }
  for (const _ of edits) stack = redoEdit(stack);
  expect(bitsOf(await run(await viewStack(model, stack), feeds))).toEqual(states.at(-1)!.bits);
  expect(weights()).toEqual(stored);
  expect(bitsOf(await run(model, feeds))).toEqual(bitsOf(before));
});
