// Products: MatMul, Gemm, Einsum, and their forms on integers.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { arg, type Call, flag, type OnnxOp, real, text } from "./call.ts";
import { binary, entry, f32only, floats, range } from "./entries.ts";

export function gemm(call: Call): Value {
  const [a, b, c] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const product = g.matmul(a, b, {
    transA: flag(call, "transA"),
    transB: flag(call, "transB"),
    alpha: real(call, "alpha", 1),
  });
  const beta = real(call, "beta", 1);
  return c === undefined || beta === 0 ? product : g.add(product, beta === 1 ? c : g.mul(c, beta));
}

/** Letters of one operand, the ellipsis as letters of its own from the end. */
function lettersOf(term: string, rank: number, call: Call): string[] {
  const [before = "", after] = term.split("...") as [string, string?];
  if (after === undefined) {
    if (before.length !== rank) call.refuse(`${term} names ${before.length} axes of ${rank}`);
    return [...before];
  }
  const hidden = rank - before.length - after.length;
  if (hidden < 0) call.refuse(`${term} names more axes than ${rank}`);
  return [...before, ...range(hidden).map((i) => `.${hidden - i}`), ...after];
}

/** The places where a letter repeats: only the diagonal counts. */
function diagonal(x: Value, letters: string[]): [Value, string[]] {
  const twice = letters.findIndex((letter, i) => letters.indexOf(letter) !== i);
  if (twice < 0) return [x, letters];
  const first = letters.indexOf(letters[twice]!);
  const n = x.shape[first]!;
  const shape = (axis: number) => x.shape.map((_, i) => (i === axis ? n : 1));
  const at = g.cast(g.constant(iota(n)), x.dtype);
  const kept = g.equal(g.reshape(at, shape(first)), g.reshape(at, shape(twice)));
  const zero = g.scalar(0, x.dtype);
  const summed = g.sum(g.where(kept, x, zero), { axes: twice });
  return diagonal(
    summed,
    letters.filter((_, i) => i !== twice),
  );
}

function iota(n: number) {
  return { dtype: "int32" as const, shape: [n], data: Int32Array.from(range(n)) };
}

interface Term {
  value: Value;
  letters: string[];
}

/** Axes in the order of `letters`; what is missing has size 1. */
function align({ value, letters: own }: Term, letters: readonly string[]): Value {
  const present = letters.filter((letter) => own.includes(letter));
  const turned = g.transpose(
    value,
    present.map((letter) => own.indexOf(letter)),
  );
  return g.reshape(
    turned,
    letters.map((letter) => (own.includes(letter) ? value.shape[own.indexOf(letter)]! : 1)),
  );
}

/** Two terms into one, summed over the letters that nothing needs any more. */
function contract(a: Term, b: Term, needed: ReadonlySet<string>): Term {
  const size = ({ letters, value }: Term, letter: string) =>
    value.shape[letters.indexOf(letter)] ?? 1;
  const all = [...new Set([...a.letters, ...b.letters])];
  const both = (letter: string) =>
    a.letters.includes(letter) && b.letters.includes(letter) && size(a, letter) === size(b, letter);
  const inner = all.filter((letter) => !needed.has(letter) && both(letter));
  const batch = all.filter((letter) => needed.has(letter) && both(letter));
  const rest = (term: Term) =>
    term.letters.filter((letter) => !inner.includes(letter) && !batch.includes(letter));
  const [left, right] = [rest(a), rest(b)];
  if (left.some((letter) => right.includes(letter))) {
    // Sizes that broadcast: plainly place by place.
    const value = g.mul(align(a, all), align(b, all));
    return shrink({ value, letters: all }, needed);
  }
  const product = (list: readonly string[], term: Term) =>
    list.reduce((n, letter) => n * size(term, letter), 1);
  const counts = [
    product(batch, a),
    product(left, a),
    product(inner, a),
    product(right, b),
  ] as const;
  const A = g.reshape(align(a, [...batch, ...left, ...inner]), [counts[0], counts[1], counts[2]]);
  const B = g.reshape(align(b, [...batch, ...inner, ...right]), [counts[0], counts[2], counts[3]]);
  const letters = [...batch, ...left, ...right];
  const shape = letters.map((letter) =>
    right.includes(letter) ? size(b, letter) : size(a, letter),
  );
  return shrink({ value: g.reshape(g.matmul(A, B), shape), letters }, needed);
}

function shrink({ value, letters }: Term, needed: ReadonlySet<string>): Term {
  const gone = letters.flatMap((letter, i) => (needed.has(letter) ? [] : [i]));
  if (gone.length === 0) return { value, letters };
  return { value: g.sum(value, { axes: gone }), letters: letters.filter((l) => needed.has(l)) };
}

function einsum(call: Call): Value {
  const equation = text(call, "equation", "").replaceAll(" ", "");
  const [given = "", result] = equation.split("->") as [string, string?];
  const names = given.split(",");
  const terms = names.map((term, i): Term => {
    const x = arg(call, i);
    const [value, letters] = diagonal(x, lettersOf(term, x.shape.length, call));
    return { value, letters };
  });
  const all = terms.flatMap(({ letters }) => letters);
  const dots = [...new Set(all.filter((letter) => letter.startsWith(".")))].sort().reverse();
  // Left out: every letter that stands once, sorted, after the ellipsis.
  const once = [...new Set(all)].filter(
    (l) => !l.startsWith(".") && all.filter((m) => m === l).length === 1,
  );
  const out =
    result === undefined
      ? [...dots, ...once.sort()]
      : result.split(/(\.\.\.)/).flatMap((part) => (part === "..." ? dots : [...part]));
  const [first, ...rest] = terms as [Term, ...Term[]];
  const neededAfter = (i: number) =>
    new Set([...out, ...rest.slice(i + 1).flatMap(({ letters }) => letters)]);
  const joined = rest.reduce(
    (term, next, i) => contract(term, next, neededAfter(i)),
    shrinkFirst(first, rest, out),
  );
  return align(shrink(joined, new Set(out)), out);
}

function shrinkFirst(first: Term, rest: readonly Term[], out: readonly string[]): Term {
  return shrink(first, new Set([...out, ...rest.flatMap(({ letters }) => letters)]));
}

/** Integers are multiplied exactly as float64. */
function matmulInteger(call: Call): Value {
  const off = (i: number, zero: number, rows: boolean) => {
    const x = g.cast(arg(call, i), "float64");
    const point = call.inputs[zero];
    if (point === undefined) return x;
    const wide = g.cast(point, "float64");
    return g.sub(x, rows && wide.shape.length === 1 ? g.reshape(wide, [-1, 1]) : wide);
  };
  return g.cast(g.matmul(off(0, 2, true), off(1, 3, false)), "int32");
}

export const products: readonly OnnxOp[] = [
  binary("MatMul", floats, (a, b) => g.matmul(a, b)),
  entry("Gemm", f32only, gemm),
  entry("Einsum", floats, einsum),
  entry("MatMulInteger", ["uint8"], matmulInteger),
];
