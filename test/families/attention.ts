// What attention must compute: queries and keys → scores → pattern → values mixed → what each head writes.
import { frequenciesOf } from "../../src/models/blocks/rope.ts";
import { type ModelConfig, rotaryOf, windowOf } from "../../src/models/config.ts";
import { map, perHead, plus, type Rows, softmax } from "./rows.ts";
import { norm, type Scope } from "./scope.ts";

export function attention(scope: Scope, layer: number, x: Rows): Rows {
  const { config, weights, claim } = scope;
  const { n_heads, d_head, d_model } = config;
  const at = `blocks.${layer}.attn`;
  const w = (name: string): Rows | undefined => weights[`${at}.${name}`];
  const [batch, pos] = x.shape as [number, number];
  const raw = (of: "Q" | "K" | "V") =>
    claim(
      "queries, keys and values are read by their weights",
      `${at}.hook_${of.toLowerCase()}`,
      perHead(x, w(`W_${of}`)!, w(`b_${of}`)),
    );
  const turned = (of: "Q" | "K", value: Rows): Rows => {
    const low = of.toLowerCase();
    let rows = value;
    if (config.qk_norm !== undefined) {
      const [heads, width] = value.shape.slice(2) as [number, number];
      const flat = config.qk_norm === "whole" ? [batch, pos, 1, heads * width] : value.shape;
      rows = { ...norm(scope, `${at}.${low}_norm`, { ...value, shape: flat }), shape: value.shape };
    }
    if (config.positions !== "rotary") return rows;
    return claim(
      "positions turn, and gain nothing else",
      `${at}.hook_rot_${low}`,
      rotated(config, layer, rows),
    );
  };
  const [q, k, v] = [turned("Q", raw("Q")), turned("K", raw("K")), raw("V")];
  const group = n_heads / (k.shape[2] as number);
  const scale =
    (config.attn_scale ?? 1 / Math.sqrt(d_head)) / (config.scale_by_inverse_layer ? layer + 1 : 1);
  const cap = config.attn_softcap;
  const window = windowOf(config, layer);
  const all = config.encoder !== undefined && config.encoder.causal !== true;
  const grid = [batch, n_heads, pos, pos];
  // Of an index into [batch, head, query, key]: the four.
  const place = (i: number) => {
    const [key, query] = [i % pos, Math.floor(i / pos) % pos];
    return {
      key,
      query,
      head: Math.floor(i / pos / pos) % n_heads,
      row: Math.floor(i / pos / pos / n_heads),
    };
  };
  const size = batch * n_heads * pos * pos;
  const scores = Float64Array.from({ length: size }, (_, i) => {
    const { row, head, query, key } = place(i);
    if (!all && (key > query || (window !== undefined && key <= query - window))) return -Infinity;
    let dot = 0;
    const [a, b] = [
      ((row * pos + query) * n_heads + head) * d_head,
      ((row * pos + key) * (n_heads / group) + Math.floor(head / group)) * d_head,
    ];
    for (let j = 0; j < d_head; j++) dot += q.data[a + j]! * k.data[b + j]!;
    return cap === undefined ? dot * scale : cap * Math.tanh((dot * scale) / cap);
  });
  const seen = claim("scores are masked before and behind the window", `${at}.hook_attn_scores`, {
    shape: grid,
    data: scores,
  });
  const sinks = w("sinks");
  const sink = (row: number) =>
    sinks === undefined ? [] : [sinks.data[Math.floor(row / pos) % n_heads]!];
  const pattern = claim(
    "patterns are softmax over seen keys, and a sink",
    `${at}.hook_pattern`,
    softmax(seen, sink),
  );
  const mixed = Float64Array.from({ length: batch * pos * n_heads * d_head }, (_, i) => {
    const [j, head] = [i % d_head, Math.floor(i / d_head) % n_heads];
    const [query, row] = [
      Math.floor(i / d_head / n_heads) % pos,
      Math.floor(i / d_head / n_heads / pos),
    ];
    let total = 0;
    for (let key = 0; key < pos; key++)
      total +=
        pattern.data[((row * n_heads + head) * pos + query) * pos + key]! *
        v.data[((row * pos + key) * (n_heads / group) + Math.floor(head / group)) * d_head + j]!;
    return total;
  });
  const z = claim("pattern · value = z", `${at}.hook_z`, {
    shape: [batch, pos, n_heads, d_head],
    data: mixed,
  });
  const W_O = w("W_O")!;
  const own = Float64Array.from({ length: batch * pos * n_heads * d_model }, (_, i) => {
    const [out, at] = [i % d_model, Math.floor(i / d_model)];
    let total = 0;
    for (let j = 0; j < d_head; j++)
      total += z.data[at * d_head + j]! * W_O.data[((at % n_heads) * d_head + j) * d_model + out]!;
    return total;
  });
  const result = claim("each head writes z · W_O", `${at}.hook_result`, {
    shape: [batch, pos, n_heads, d_model],
    data: own,
  });
  const total = Float64Array.from({ length: batch * pos * d_model }, (_, i) => {
    let sum = 0;
    for (let head = 0; head < n_heads; head++)
      sum += result.data[(Math.floor(i / d_model) * n_heads + head) * d_model + (i % d_model)]!;
    return sum;
  });
  return plus({ shape: [batch, pos, d_model], data: total }, w("b_O"));
}

/** As complex numbers: each pair is multiplied by gain · exp(i · position · frequency). */
function rotated(config: ModelConfig, layer: number, x: Rows): Rows {
  const rotary = rotaryOf(config, layer);
  if (rotary === undefined) return x;
  const [pos, heads, d_head] = x.shape.slice(1) as [number, number, number];
  const { frequencies, gain } = frequenciesOf(rotary, pos);
  const half = rotary.dim / 2;
  return map(x, (value, i) => {
    const j = i % d_head;
    if (j >= rotary.dim) return value;
    const pair = rotary.interleaved ? Math.floor(j / 2) : j % half;
    const second = rotary.interleaved ? j % 2 === 1 : j >= half;
    const other = x.data[i + (rotary.interleaved ? 1 : half) * (second ? -1 : 1)]!;
    const angle = (Math.floor(i / d_head / heads) % pos) * frequencies[pair]!;
    return gain * (value * Math.cos(angle) + other * Math.sin(angle) * (second ? 1 : -1));
  });
}
