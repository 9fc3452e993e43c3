// How the learning rate goes: up at the start, down to the end.

export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  /** The highest rate. */
  lr: number;
  steps: number;
  /** Steps of linear rise from lr/warmup. */
  warmup?: number;
  decay?: "none" | "linear" | "cosine";
  /** Steps at the end over which it decays; default: all after the warm-up. */
  decaySteps?: number;
  /** The rate at the end, as a fraction of `lr`. */
  floor?: number;
}

/** A function of the step, counted from 0. */
export function schedule({
  lr,
  steps,
  warmup = 0,
  decay = "none",
  decaySteps = steps - warmup,
  floor = 0,
}: ScheduleOptions): Schedule {
  return (step) => {
    if (step < warmup) return (lr * (step + 1)) / warmup;
    if (decay === "none") return lr;
    const gone = Math.min(1, Math.max(0, (step - (steps - decaySteps)) / Math.max(1, decaySteps)));
    const share = decay === "linear" ? 1 - gone : (1 + Math.cos(Math.PI * gone)) / 2;
    return lr * (floor + (1 - floor) * share);
  };
}
