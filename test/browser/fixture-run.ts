// A run at any moment of its life: seeded curves, stages and first features.
import type { ContextProgress, RunState, Stage } from "../../src/api/types.ts";
import { clamp, dictionaryId, readingOf, site } from "./fixture-data.ts";
import { contexts, rng, samples, toStrip } from "./fixture-text.ts";

const births = [
  0.05, 0.06, 0.08, 0.09, 0.1, 0.12, 0.15, 0.17, 0.2, 0.24, 0.29, 0.36, 0.44, 0.52, 0.54, 0.57, 0.6,
  0.63,
];

function progressOf(context: string, k: number, t: number, controlled: boolean): ContextProgress {
  const r = rng(k + 90);
  const sample = samples.find((x) => x.context === context);
  const birth = sample ? (births[k] ?? 0.3 + 0.02 * k) : 2;
  const worth = sample?.r ?? 0.13;
  const history: [number, number][] = [];
  for (let i = 1; i <= Math.floor(t * 100); i++) {
    const x = i / 100;
    const q = worth / (1 + Math.exp(-(x - birth - 0.03) / (0.012 + birth * 0.05))) + 0.05 * r();
    history.push([x * 1e7, Number(clamp(q, 0, 1).toFixed(3))]);
  }
  const now = worth / (1 + Math.exp(-(t - birth - 0.03) / (0.012 + birth * 0.05)));
  const seen = t > birth;
  return {
    context,
    feature: seen ? samples.findIndex((x) => x.context === context) : null,
    reading: seen
      ? readingOf(
          clamp(now + 0.02, 0.05, 1),
          0.015,
          sample!.neuron * Math.min(1, t * 2),
          controlled ? 0.06 : null,
        )
      : readingOf(0.14 - 0.01 * (k % 3), 0.03, 0.19, controlled ? 0.12 : null),
    appeared_at: seen ? birth * 1e7 : null,
    history,
    example: seen ? toStrip(sample!.texts[0]!, sample!.peak, k + 9, context) : null,
  };
}

export function runOf(id: string, t: number): RunState {
  const status: RunState["status"] =
    id === "stopped" ? "stopped" : id === "failed" ? "failed" : t >= 1 ? "done" : "running";
  const curve = (f: (x: number) => number, noise: number, until = t): [number, number][] => {
    const r = rng(4 + Math.round(noise * 1e4));
    return Array.from({ length: Math.floor(until * 100) + 1 }, (_, i) => {
      const x = i / 100 + 0.004;
      return [x * 1e7, f(x) * (1 + noise * (r() - 0.5) * 2 * (0.3 + 0.7 * Math.exp(-x * 4)))];
    });
  };
  const elapsed = 37 + 200 * t;
  const mid = status === "done" ? "done" : status;
  const stage = (
    name: string,
    state: Stage["state"],
    done: number,
    total: number,
    unit: string,
    a: number | null,
    b: number | null,
  ): Stage => ({ name, state, done, total, unit, started_s: a, ended_s: b });
  const e2 = Math.exp;
  return {
    id,
    kind: "demo",
    model: "field-1l",
    site,
    dictionary: dictionaryId,
    seed: 0,
    status,
    elapsed_s: elapsed,
    remaining_s: status === "running" ? 200 * (1 - t) + 38 : null,
    memory_bytes: 612e6,
    tokens: t * 1e7,
    total_tokens: 1e7,
    stages: [
      stage("load", "done", 1, 1, "model", 0, 3),
      stage("record", "done", 1_050_000, 1_050_000, "tokens", 3, 37),
      stage(
        "train",
        mid === "done" ? "done" : mid === "running" ? "running" : mid,
        t * 1e7,
        1e7,
        "tokens",
        37,
        status === "running" ? null : elapsed,
      ),
      stage(
        "describe",
        status === "done" ? "done" : "waiting",
        status === "done" ? 2048 : 0,
        2048,
        "features",
        status === "done" ? elapsed : null,
        status === "done" ? elapsed : null,
      ),
      stage(
        "control",
        status === "done" ? "done" : "waiting",
        status === "done" ? 1e7 : 0,
        1e7,
        "tokens",
        status === "done" ? elapsed : null,
        status === "done" ? elapsed : null,
      ),
    ],
    series: [
      { name: "FVU", points: curve((x) => 0.108 + 0.9 * e2(-x * 16) + 0.09 * e2(-x * 3), 0.012) },
      { name: "control.FVU", points: curve((x) => 0.37 + 0.65 * e2(-x * 14), 0.015) },
      { name: "L0", points: curve((x) => 31.9 - 14 * e2(-x * 22), 0.008) },
      { name: "control.L0", points: curve((x) => 31.95 - 7 * e2(-x * 15), 0.004) },
      {
        name: "dead",
        points: curve(
          (x) => 0.114 + 0.3 * e2(-((x - 0.16) ** 2) / 0.008) + 0.09 * e2(-((x - 0.3) ** 2) / 0.03),
          0.02,
        ),
      },
      {
        name: "control.dead",
        points: curve((x) => 0.03 + 0.09 * e2(-((x - 0.14) ** 2) / 0.01), 0.03),
      },
      {
        name: "CE_recovered",
        points: curve((x) => 0.957 - 0.95 * e2(-x * 19) - 0.05 * e2(-x * 4), 0.012),
      },
      { name: "control.CE_recovered", points: curve((x) => 0.41 - 0.41 * e2(-x * 12), 0.012) },
    ],
    contexts: contexts
      .map((c, k) => progressOf(c, k, t, t > 0.5))
      .sort((a, b) => (a.appeared_at ?? 1e9) - (b.appeared_at ?? 1e9)),
    revision: t > 0.3 ? 1 : null,
    problem:
      status === "failed"
        ? {
            type: "about:blank",
            title: "This dictionary was learned on other weights.",
            status: 409,
            code: "workspace/hash-mismatch",
            detail: "This dictionary was learned on other weights.",
            wanted: "sha256:9fe2c04d",
            got: "sha256:21a7d0b8",
            hint: "Train again, or fetch the weights that the manifest names.",
          }
        : null,
  };
}
