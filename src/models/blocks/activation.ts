// What the non-linearity of a neuron is, by its name.
import {
  gelu,
  geluTanh,
  mul,
  relu,
  sigmoid,
  silu,
  softmax,
  square,
  type Value,
} from "../../graph/index.ts";
import type { ActFn } from "../config.ts";

export const activations: Readonly<Record<ActFn, (x: Value) => Value>> = {
  relu,
  relu2: (x) => square(relu(x)),
  gelu,
  gelu_new: geluTanh,
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  silu,
  solu: (x) => mul(x, softmax(x, { axis: -1 })),
  solu_ln: (x) => mul(x, softmax(x, { axis: -1 })),
};
