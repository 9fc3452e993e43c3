// What is differentiated: one number a row of tokens, written as a record whose numbers are fed.
import { check, fail } from "../../base/errors.ts";
import {
  crossEntropy,
  input,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  softmax,
  sub,
  sum,
  takeAlong,
  type Value,
} from "../../graph/index.ts";
import type { ModelConfig } from "../../models/index.ts";
import { f32, type Tensor, tensor } from "../../tensor/tensor.ts";

/** One for all rows, or one a row. Positions may count from the end. */
export type PerRow = number | readonly number[];

/** What a function of code may read. */
export interface Outputs {
  /** [batch, pos, d_vocab] */
  readonly logits: Value;
  /** Any site's value, after interventions. */
  site(name: string): Value;
}

/** Positions are the last unless they are named. Natural logarithms. */
export type Scalar =
  /** `centred`: less the mean of all logits there. */
  | {
      readonly kind: "logit";
      readonly token: PerRow;
      readonly pos?: PerRow;
      readonly centred?: true;
    }
  /** logit(token) − logit(against) */
  | {
      readonly kind: "logitDifference";
      readonly token: PerRow;
      readonly against: PerRow;
      readonly pos?: PerRow;
    }
  | { readonly kind: "logProbability"; readonly token: PerRow; readonly pos?: PerRow }
  /**
   * A row's mean −log p(target): int32 [batch, pos], −1 where nothing is predicted; the next tokens
   * when left out.
   */
  | { readonly kind: "crossEntropy"; readonly targets?: Tensor<"int32"> }
  /** KL(reference ‖ this run), from logits [batch, pos, d_vocab]; the mean over the positions. */
  | { readonly kind: "kl"; readonly reference: Tensor<"float32">; readonly pos?: PerRow }
  /** Made of graph values: [batch], or a single number for all rows. */
  | { readonly kind: "function"; readonly of: (outputs: Outputs) => Value };

export interface ScalarPlan {
  /** Equal where the graphs are equal; undefined for functions. */
  readonly key: string | undefined;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** The inputs for a program of this size, and [batch] (or []) from what the model computes. */
  build(size: { batch: number; pos: number }): {
    inputs: Value[];
    value(outputs: Outputs): Value;
  };
}

/** Errors: `gradients/scalar` for tokens, positions and shapes that do not fit. */
export function planScalar(config: ModelConfig, scalar: Scalar, tokens: Tensor): ScalarPlan {
  if (scalar.kind === "function")
    return {
      key: undefined,
      feeds: {},
      build: ({ batch }) => ({
        inputs: [],
        value: (outputs) => {
          const made = scalar.of(outputs);
          const shape = made.shape.join();
          const fits = shape === "" || shape === `${batch}`;
          check(fits, "gradients/scalar", "the function does not give one number a row", {
            got: `[${made.shape.join(", ")}]`,
            wanted: `[${batch}] or []`,
          });
          return made;
        },
      }),
    };
  const feeds = feedsOf(config, scalar, tokens);
  const centred = scalar.kind === "logit" && scalar.centred === true;
  return {
    key: JSON.stringify([scalar.kind, centred]),
    feeds,
    build: (size) => {
      const inputs = Object.fromEntries(
        Object.entries(feeds).map(([name, { dtype, shape }]) => [
          name,
          input(name, dtype, [size.batch, size.pos, ...shape.slice(2)]),
        ]),
      );
      return {
        inputs: Object.values(inputs),
        value: ({ logits }) => {
          const each = atEach(scalar.kind, centred, logits, inputs); // [batch, pos]
          return sum(mul(each, inputs[weightName]!), { axes: [1] });
        },
      };
    },
  };
}

const weightName = "scalar weights";
const tokenName = "scalar tokens";
const againstName = "scalar against";
const referenceName = "scalar reference";

type Named = Exclude<Scalar, { kind: "function" }>;

function atEach(
  kind: Named["kind"],
  centred: boolean,
  logits: Value,
  inputs: Readonly<Record<string, Value>>,
): Value {
  const [batch, pos, d_vocab] = logits.shape as [number, number, number];
  const pick = (name: string): Value =>
    reshape(takeAlong(logits, reshape(inputs[name]!, [batch, pos, 1]), { axis: 2 }), [batch, pos]);
  switch (kind) {
    case "logit":
      return centred ? sub(pick(tokenName), mean(logits, { axes: [2] })) : pick(tokenName);
    case "logitDifference":
      return sub(pick(tokenName), pick(againstName));
    case "logProbability":
    case "crossEntropy": {
      const flat = reshape(logits, [batch * pos, d_vocab]);
      const ce = crossEntropy(flat, reshape(inputs[tokenName]!, [batch * pos]));
      return reshape(kind === "crossEntropy" ? ce : neg(ce), [batch, pos]);
    }
    case "kl": {
      const reference = inputs[referenceName]!;
      const apart = sub(logSoftmax(reference, { axis: 2 }), logSoftmax(logits, { axis: 2 }));
      return sum(mul(softmax(reference, { axis: 2 }), apart), { axes: [2] });
    }
  }
}

function feedsOf(config: ModelConfig, scalar: Named, tokens: Tensor): Record<string, Tensor> {
  const [rows, pos] = tokens.shape as [number, number];
  switch (scalar.kind) {
    case "logit":
    case "logProbability":
      return {
        [tokenName]: spread(perRow(scalar.token, rows, config.d_vocab, "token"), pos),
        [weightName]: places(scalar.pos ?? -1, rows, pos),
      };
    case "logitDifference":
      return {
        [tokenName]: spread(perRow(scalar.token, rows, config.d_vocab, "token"), pos),
        [againstName]: spread(perRow(scalar.against, rows, config.d_vocab, "token"), pos),
        [weightName]: places(scalar.pos ?? -1, rows, pos),
      };
    case "crossEntropy":
      return targetFeeds(scalar.targets ?? nextTokens(tokens), rows, pos, config.d_vocab);
    case "kl": {
      const { shape } = scalar.reference;
      const wanted = [rows, pos, config.d_vocab];
      check(shape.join() === wanted.join(), "gradients/scalar", "the reference does not fit", {
        got: `[${shape.join(", ")}]`,
        wanted: `logits [${wanted.join(", ")}]`,
      });
      return {
        [referenceName]: scalar.reference,
        [weightName]:
          scalar.pos === undefined
            ? f32([rows, pos], new Float32Array(rows * pos).fill(1 / pos))
            : places(scalar.pos, rows, pos),
      };
    }
  }
}

function targetFeeds(targets: Tensor, rows: number, pos: number, d_vocab: number) {
  const fits = targets.dtype === "int32" && targets.shape.join() === `${rows},${pos}`;
  check(fits, "gradients/scalar", "the targets do not fit the tokens", {
    got: `${targets.dtype} [${targets.shape.join(", ")}]`,
    wanted: `int32 [${rows}, ${pos}]`,
  });
  const data = targets.data as Int32Array;
  const odd = data.find((id) => id < -1 || id >= d_vocab);
  check(odd === undefined, "gradients/scalar", "a target is outside the vocabulary", { got: odd });
  const weights = new Float32Array(rows * pos);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * pos, (row + 1) * pos);
    const n = own.reduce((count, id) => count + Number(id >= 0), 0);
    check(n > 0, "gradients/scalar", "a row has no target", { where: `row ${row}` });
    own.forEach((id, i) => {
      if (id >= 0) weights[row * pos + i] = 1 / n;
    });
  }
  return {
    [tokenName]: tensor(
      "int32",
      [rows, pos],
      data.map((id) => Math.max(0, id)),
    ),
    [weightName]: f32([rows, pos], weights),
  };
}

function nextTokens({ shape, data }: Tensor): Tensor<"int32"> {
  const pos = shape[1]!;
  const next = (data as Int32Array).map((_, i) =>
    (i + 1) % pos === 0 ? -1 : (data as Int32Array)[i + 1]!,
  );
  return tensor("int32", shape, next);
}

function perRow(given: PerRow, rows: number, below: number, what: string): number[] {
  const list = typeof given === "number" ? new Array<number>(rows).fill(given) : [...given];
  const odd = list.find((x) => !Number.isSafeInteger(x) || x < 0 || x >= below);
  if (list.length !== rows || odd !== undefined)
    fail("gradients/scalar", `not a ${what} for each row`, {
      got: odd ?? `${list.length} of them`,
      wanted: `one, or ${rows}, from 0 to ${below - 1}`,
    });
  return list;
}

function spread(ids: readonly number[], pos: number): Tensor<"int32"> {
  const data = Int32Array.from({ length: ids.length * pos }, (_, i) => ids[Math.floor(i / pos)]!);
  return tensor("int32", [ids.length, pos], data);
}

/** 1 at each row's position. */
function places(at: PerRow, rows: number, pos: number): Tensor<"float32"> {
  const fromStart = (x: number): number => (x < 0 ? x + pos : x);
  const given = typeof at === "number" ? fromStart(at) : at.map(fromStart);
  const weights = new Float32Array(rows * pos);
  perRow(given, rows, pos, "position").forEach((x, row) => {
    weights[row * pos + x] = 1;
  });
  return f32([rows, pos], weights);
}
