// Everything for training, by name.
export {
  type AdamOptions,
  type AdamSettings,
  type AdamState,
  adamRates,
  adamUpdate,
} from "./adam.ts";
export { kaimingUniform, normal, xavierNormal } from "./init.ts";
export { type Schedule, type ScheduleOptions, schedule } from "./schedule.ts";
