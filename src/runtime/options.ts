// Which ONNX Runtime options we set, and why. The only file that names them.
import { availableParallelism } from "node:os";
import type { InferenceSession } from "onnxruntime-node";

export interface SessionSettings {
  threads: number;
  prepack: boolean;
  /** Flush numbers below 1e-38 to zero: see `OrtOptions`. */
  denormalsAsZero?: boolean;
  /** The folder that external data lies in, when the program refers to any. */
  externalFolder?: string;
}

export function defaultThreads(): number {
  return availableParallelism();
}

/** Settings → what `InferenceSession.create` takes. A misspelt key would be ignored in silence. */
export function sessionOptions(settings: SessionSettings): InferenceSession.SessionOptions {
  return {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    // The arena keeps intermediate buffers for the next run; planning their pattern as well
    // costs 40 % more memory for the same speed.
    enableCpuMemArena: true,
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: sessionEntries(settings) },
  };
}

/** The entries ORT knows as `session.<key>`. */
export function sessionEntries(settings: SessionSettings): Record<string, string> {
  return {
    // Idle threads sleep at once when a run ends: between two runs the cores belong to others.
    force_spinning_stop: "1",
    // Without pre-packing, weights stay where they are and all sessions share them.
    ...(settings.prepack ? {} : { disable_prepacking: "1" }),
    ...(settings.denormalsAsZero ? { set_denormal_as_zero: "1" } : {}),
    ...(settings.externalFolder === undefined
      ? {}
      : { model_external_initializers_file_folder_path: settings.externalFolder }),
  };
}
