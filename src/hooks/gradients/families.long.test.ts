// Are gradients of 100 random weights of every family those of central differences, and ORT's those of the reference?
import { afterAll, expect, test } from "vitest";
import { random } from "../../base/random.ts";
import {
  add,
  constant,
  grad,
  input,
  interpret,
  mul,
  program,
  sum,
  type Value,
} from "../../graph/index.ts";
import { encode } from "../../models/encoders/encode.ts";
import { encoderGoldens, feedsOf } from "../../models/encoders/parity.fixture.ts";
import { forward, type Model, openModel, type Tap, weightInputs } from "../../models/index.ts";
import { goldenFolder, listGolden } from "../../models/parity.fixture.ts";
import { ortBackend } from "../../runtime/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());

/** What is read, and what comes out, as graph values. */
interface Subject {
  readonly name: string;
  readonly open: () => Promise<Model>;
  readonly feeds: (model: Model) => Record<string, Tensor>;
  readonly outputs: (
    model: Model,
    weights: Record<string, Value>,
    inputs: Record<string, Value>,
    tap: Tap,
  ) => (Value | undefined)[];
}

const subjects: Subject[] = [
  ...(await listGolden()).map(
    (name): Subject => ({
      name,
      open: () => openModel(`${goldenFolder}/${name}`, { tokenizer: null, inMemory: true }),
      // Longer than every window, and one row behind padding.
      feeds: ({ config }) => {
        const rng = random(4);
        const ids = Int32Array.from({ length: 16 }, () => rng.int(config.d_vocab));
        const mask = new Int32Array(16).fill(1).fill(0, 8, 10);
        return {
          tokens: tensor("int32", [2, 8], ids),
          attention_mask: tensor("int32", [2, 8], mask),
        };
      },
      outputs: ({ config }, weights, { tokens, attention_mask }, tap) => [
        forward(config, weights, tokens!, { attention_mask, tap }).logits,
      ],
    }),
  ),
  ...(await encoderGoldens()).map(
    (golden): Subject => ({
      name: golden.name,
      open: () =>
        openModel(golden.folder, { tower: golden.tower, tokenizer: null, inMemory: true }),
      feeds: () => {
        const padded = golden.tower === "text" && Object.keys(feedsOf(golden, "pad")).length > 0;
        return feedsOf(golden, padded ? "pad" : "in") as Record<string, Tensor>;
      },
      outputs: ({ config }, weights, { attention_mask, position_ids, ...read }, tap) => {
        const out = encode(config, weights, read, { attention_mask, position_ids, tap });
        return [out.hidden, out.embedding, out.logits, out.nsp, out.pooled];
      },
    }),
  ),
];

/** Of central differences: their own error falls with its square, and that of rounding rises. */
const step = 1e-5;
/** Not differentiable where −∞ stands, and a view of other sites. */
const apart = /hook_attn_scores$|hook_result$/;

test.each(subjects)("$name", async ({ open, feeds: read, outputs }) => {
  const model = await open();
  const feeds = read(model);
  const rng = random(3);
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]),
  );
  const weights = weightInputs(model.config);
  const sites: Record<string, Value> = {};
  const all = outputs(model, weights, inputs, (site, value) => {
    if (!apart.test(site)) sites[site] = value;
    return value;
  });
  // A sum of all that comes out, each number with a weight of its own.
  const loss = all
    .flatMap((value) => {
      if (value === undefined) return [];
      const numbers = Array.from({ length: sizeOf(value.shape) }, () => rng.normal());
      return [sum(mul(value, constant(f32(value.shape, numbers))))];
    })
    .reduce((a, b) => add(a, b));
  // CLIP's scale of similarities counts only where images and texts meet.
  const names = Object.keys(weights).filter((name) => name !== "logit_scale");
  const wrt = [...names.map((name) => weights[name]!), ...Object.values(sites)];
  const made = grad(loss, wrt);
  const outs = Object.fromEntries(
    [...names, ...Object.keys(sites)].map((name, i) => [`d ${name}`, made[i]!]),
  );
  const whole = { inputs: [...Object.values(inputs), ...Object.values(weights)] };
  const fed: Record<string, Tensor> = { ...feeds };
  for (const name of Object.keys(weights)) fed[name] = model.weights[name]!;
  const both = program({ ...whole, outputs: { loss, ...outs } });
  const exact = interpret(both, fed);

  const only = program({ ...whole, outputs: { loss } });
  const at = (name: string, i: number, by: number): number => {
    const data = Float64Array.from(fed[name]!.data as Float32Array);
    data[i]! += by;
    const moved = { ...fed, [name]: tensor("float64", fed[name]!.shape, data) };
    return interpret(only, moved).loss!.data[0] as number;
  };
  let worst = 0;
  for (let n = 0; n < 100; n++) {
    const name = rng.pick(names);
    const i = rng.int(fed[name]!.data.length);
    const slope = (at(name, i, step) - at(name, i, -step)) / (2 * step);
    const far = Math.abs((exact[`d ${name}`]!.data[i] as number) - slope);
    worst = Math.max(worst, far / Math.max(1, Math.abs(slope)));
    expect(far, `${name} ${i}`).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)));
  }

  const run = await backend.compile(both);
  const narrow = await run.run(fed);
  let furthest = 0;
  for (const name of [...names, ...Object.keys(sites)]) {
    const [got, wanted] = [narrow[`d ${name}`]!.data, exact[`d ${name}`]!.data];
    // The same number for all keys goes through softmax without a trace: b_K has no gradient where
    // positions do not turn, and what rounding leaves is judged against that of W_K.
    const scale = exact[`d ${name.replace("b_K", "W_K")}`]!.data as Float64Array;
    const most = scale.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const far = (got as Float32Array).reduce(
      (max, x, i) => Math.max(max, Math.abs(x - (wanted[i] as number))),
      0,
    );
    furthest = Math.max(furthest, most === 0 ? 0 : far / most);
    expect(far, name).toBeLessThanOrEqual(1e-4 * most);
  }
  console.info(
    `differences ${worst.toExponential(1)} of 1e-6, ORT ${furthest.toExponential(1)} of 1e-4`,
  );
});
