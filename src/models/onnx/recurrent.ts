// Recurrent layers, one step after another: RNN, LSTM, GRU.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { arg, type Call, flag, has, int, numbers, type OnnxOp, text } from "./call.ts";
import { entry, f32only, filled, range } from "./entries.ts";

/** Everything of one direction: weights [rows, in], and one vector a row. */
interface Layer {
  W: Value;
  R: Value;
  /** [rows]; the bias of W and that of R. */
  biasW: Value;
  biasR: Value;
  peepholes: Value | undefined;
  h: Value;
  c: Value | undefined;
  f: Activation[];
}

interface State {
  h: Value;
  c?: Value;
}

type Activation = (x: Value) => Value;
type Step = (fromX: Value, state: State, layer: Layer) => State;

const activations: Readonly<Record<string, Activation>> = {
  sigmoid: g.sigmoid,
  tanh: g.tanh,
  relu: g.relu,
};

function activationsOf(
  call: Call,
  count: number,
  defaults: readonly string[],
  direction: number,
): Activation[] {
  const given = call.attributes.get("activations")?.strings.map((s) => new TextDecoder().decode(s));
  return range(count).map((i) => {
    const name = given?.[direction * count + i] ?? defaults[i]!;
    return activations[name.toLowerCase()] ?? call.refuse(`the activation ${name}`);
  });
}

function recurrent(gates: number, count: number, defaults: readonly string[], step: Step) {
  return (call: Call): (Value | undefined)[] => {
    const sideways = flag(call, "layout");
    const swap = (v: Value) => g.transpose(v, [1, 0, 2]);
    const x = sideways ? swap(arg(call, 0)) : arg(call, 0);
    const [time, batch] = x.shape as [number, number, number];
    const [W, R] = [arg(call, 1), arg(call, 2)];
    const hidden = R.shape.at(-1)!;
    const lengths = numbers(call, 4);
    if (lengths?.some((n) => n !== time)) call.refuse("sequences of several lengths");
    if (has(call, "clip")) call.refuse("clip");
    if (flag(call, "input_forget")) call.refuse("input_forget");
    const zeros = (n: number) => filled(x.dtype, [n], () => 0);
    const start = (v: Value | undefined, d: number) =>
      v === undefined ? filled(x.dtype, [batch, hidden], () => 0) : one(sideways ? swap(v) : v, d);
    const direction = text(call, "direction", "forward");
    const runs = (direction === "bidirectional" ? [false, true] : [direction === "reverse"]).map(
      (backwards, d) => {
        const bias = call.inputs[3] === undefined ? undefined : one(call.inputs[3], d);
        const rows = gates * hidden;
        const layer: Layer = {
          W: one(W, d),
          R: one(R, d),
          biasW: bias === undefined ? zeros(rows) : g.slice(bias, { axis: 0, end: rows }),
          biasR: bias === undefined ? zeros(rows) : g.slice(bias, { axis: 0, start: rows }),
          peepholes: call.inputs[7] === undefined ? undefined : one(call.inputs[7], d),
          h: start(call.inputs[5], d),
          c: call.op === "LSTM" ? start(call.inputs[6], d) : undefined,
          f: activationsOf(call, count, defaults, d),
        };
        return run(x, layer, step, backwards);
      },
    );
    const stack = (parts: Value[], axis: number) =>
      g.concat(
        parts.map((v) => g.unsqueeze(v, axis)),
        { axis },
      );
    const y = stack(
      runs.map(({ all }) => all),
      1,
    ); // [time, directions, batch, hidden]
    const last = stack(
      runs.map(({ state }) => state.h),
      0,
    );
    const cells =
      call.op === "LSTM"
        ? stack(
            runs.map(({ state }) => state.c!),
            0,
          )
        : undefined;
    if (!sideways) return [y, last, cells];
    return [g.transpose(y, [2, 0, 1, 3]), swap(last), cells && swap(cells)];
  };
}

/** Direction `d` of a stack of them. */
function one(v: Value, d: number): Value {
  return g.squeeze(g.slice(v, { axis: 0, start: d, end: d + 1 }), 0);
}

function run(x: Value, layer: Layer, step: Step, backwards: boolean) {
  const [time, batch, width] = x.shape as [number, number, number];
  const rows = layer.W.shape[0]!;
  // What the inputs contribute, for all steps at once: [time, batch, rows].
  const product = g.matmul(g.reshape(x, [time * batch, width]), layer.W, { transB: true });
  const fromX = g.reshape(g.add(product, layer.biasW), [time, batch, rows]);
  let state: State = { h: layer.h, c: layer.c };
  const outputs = new Array<Value>(time);
  for (const t of backwards ? range(time).reverse() : range(time)) {
    state = step(one(fromX, t), state, layer);
    outputs[t] = g.unsqueeze(state.h, 0);
  }
  return { all: g.concat(outputs, { axis: 0 }), state };
}

function gate(v: Value, i: number, of: number, axis = 1): Value {
  const n = v.shape[axis]! / of;
  return g.slice(v, { axis, start: i * n, end: (i + 1) * n });
}

const again = ({ R, biasR }: Layer, h: Value) => g.add(g.matmul(h, R, { transB: true }), biasR);

const rnnStep: Step = (fromX, { h }, layer) => ({ h: layer.f[0]!(g.add(fromX, again(layer, h))) });

const lstmStep: Step = (fromX, { h, c }, layer) => {
  const all = g.add(fromX, again(layer, h));
  const [i, o, f, n] = range(4).map((k) => gate(all, k, 4)) as [Value, Value, Value, Value];
  const peep = (v: Value, k: number, cell: Value) =>
    layer.peepholes === undefined ? v : g.add(v, g.mul(gate(layer.peepholes, k, 3, 0), cell));
  const [sigma, gamma, eta] = layer.f as [Activation, Activation, Activation];
  const kept = g.mul(sigma(peep(f, 2, c!)), c!);
  const next = g.add(kept, g.mul(sigma(peep(i, 0, c!)), gamma(n)));
  return { h: g.mul(sigma(peep(o, 1, next)), eta(next)), c: next };
};

function gruStep(linear: boolean): Step {
  return (fromX, { h }, layer) => {
    const rows = layer.R.shape[0]!;
    const two = (2 * rows) / 3;
    const first = (v: Value) => g.slice(v, { axis: 0, end: two });
    const rest = (v: Value) => g.slice(v, { axis: 0, start: two });
    const upper = { ...layer, R: first(layer.R), biasR: first(layer.biasR) };
    const lower = { ...layer, R: rest(layer.R), biasR: rest(layer.biasR) };
    const gates = layer.f[0]!(g.add(g.slice(fromX, { axis: 1, end: two }), again(upper, h)));
    const [z, r] = [gate(gates, 0, 2), gate(gates, 1, 2)];
    const back = linear ? g.mul(r, again(lower, h)) : again(lower, g.mul(r, h));
    const n = layer.f[1]!(g.add(g.slice(fromX, { axis: 1, start: two }), back));
    return { h: g.add(n, g.mul(z, g.sub(h, n))) };
  };
}

function gru(call: Call) {
  const step = gruStep(int(call, "linear_before_reset", 0) !== 0);
  return recurrent(3, 2, ["sigmoid", "tanh"], step)(call);
}

const limits = "one length for all sequences; sigmoid, tanh and relu; no clip";

export const recurrents: readonly OnnxOp[] = [
  entry("RNN", f32only, recurrent(1, 1, ["tanh"], rnnStep), { limits }),
  entry("LSTM", f32only, recurrent(4, 3, ["sigmoid", "tanh", "tanh"], lstmStep), { limits }),
  entry("GRU", f32only, gru, { limits }),
];
