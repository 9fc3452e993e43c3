// What can run a program: the interface that models, dictionaries and training are handed.
import type { Program } from "../graph/program.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Backend {
  readonly name: string;
  /** What it was made with, as far as the last bits of results depend on it: see `buildInfo`. */
  readonly options?: Readonly<Record<string, boolean | number | string | undefined>>;
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /** Gives everything back: sessions, memory. Executables made here stop working. */
  release(): Promise<void>;
}

export interface CompileOptions {
  /**
   * Copy the weights into the order the kernels like: a tenth faster or more, for a second copy of
   * the weights, 0.6 s for GPT-2 small, and other last bits than without.
   */
  prepack?: boolean;
  threads?: number;
}

export interface Executable {
  /**
   * Runs once. `feeds` has one tensor an input. An output named in `into` is written into that
   * tensor's memory and returned as that tensor; it must not be one of the feeds. (onnxruntime-node
   * 1.30 still copies it once for itself, so this saves memory that you would keep, not time.)
   * Errors: `run/feeds`, `run/into`, `run/failed`, `run/released`.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
