// How a program runs on ONNX Runtime: sessions loaded on demand, results written in place.
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { check, fail } from "../base/errors.ts";
import type { Program } from "../graph/program.ts";
import { type DType, type Tensor, type TypedArrays, tensor } from "../tensor/tensor.ts";
import type { Backend, CompileOptions } from "./backend.ts";
import { byteCache } from "./cache.ts";
import { checkFeeds } from "./feeds.ts";
import { heldBytes } from "./held.ts";
import { defaultThreads, sessionOptions } from "./options.ts";

type Ort = typeof import("onnxruntime-node");
let library: Promise<Ort> | undefined;

function loadOrt(): Promise<Ort> {
  library ??= import("onnxruntime-node").catch((cause) =>
    fail("runtime/missing", "ONNX Runtime does not load on this machine", {
      got: `${process.platform} ${process.arch}`,
      wanted: "Linux (glibc ≥ 2.28) or Windows on x64 or arm64, or macOS on arm64",
      hint: "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node",
      cause,
    }),
  );
  return library;
}

export interface OrtOptions {
  /** Default: one a core. */
  threads?: number;
  /** For programs that do not say it themselves: see `CompileOptions`. */
  prepack?: boolean;
  /** What loaded sessions may weigh together before the least recently used are released. */
  cacheBytes?: number;
  /**
   * Softmax over a causal mask makes denormals, which cost ten times as much as other numbers. Counts when it is set
   * by the first session of a process, and then for all of that process, JavaScript's own arithmetic included: for
   * processes that do nothing else.
   */
  denormalsAsZero?: boolean;
}

/** Runs on the CPU. `run` blocks the calling thread for as long as the program runs. */
export function ortBackend({
  threads = defaultThreads(),
  cacheBytes = 2 ** 30,
  prepack,
  denormalsAsZero,
}: OrtOptions = {}): Backend & { sessions(): { loaded: number; bytes: number } } {
  const cache = byteCache<InferenceSession>({
    budget: cacheBytes,
    release: (session) => session.release(),
  });
  // Wrapping costs more than a small run; weights are fed again and again.
  const wrapped = new WeakMap<Tensor, OrtTensor>();

  return {
    name: "onnxruntime",
    options: { threads, prepack, denormalsAsZero },
    async compile(program, options = {}) {
      const ort = await loadOrt();
      const settings = settingsFor(program, { threads, prepack, denormalsAsZero, ...options });
      const key = [program.hash, program.externalFolder ?? "", JSON.stringify(settings)].join(" ");
      const names = program.outputs.map(({ name }) => name);
      let released = false;

      const wrap = (value: Tensor): OrtTensor => {
        const old = wrapped.get(value);
        if (old !== undefined) return old;
        check(value.dtype !== "bfloat16", "run/dtype", "bfloat16 tensors cannot be fed", {
          hint: "widen them with toFloat32",
        });
        // The typings know no Uint16Array for float16 on every version; the binding takes it.
        const made = new ort.Tensor(
          value.dtype as "float32",
          value.data as Float32Array,
          value.shape as number[],
        ) as OrtTensor;
        wrapped.set(value, made);
        return made;
      };

      const run = async (
        session: InferenceSession,
        feeds: Readonly<Record<string, Tensor>>,
        into: Readonly<Record<string, Tensor>>,
      ): Promise<Record<string, Tensor>> => {
        const fed: Record<string, OrtTensor> = {};
        for (const [name, value] of Object.entries(feeds)) fed[name] = wrap(value);
        const fetches: Record<string, OrtTensor | null> = {};
        for (const name of names) fetches[name] = into[name] ? wrap(into[name]) : null;
        const results = await session.run(fed, fetches).catch((cause) =>
          fail("run/failed", `ONNX Runtime stopped: ${firstLine(cause)}`, {
            where: `program ${program.hash.slice(0, 12)}`,
            cause,
          }),
        );
        const out: Record<string, Tensor> = {};
        for (const name of names) out[name] = into[name] ?? unwrap(results[name] as OrtTensor);
        return out;
      };

      const load = async (): Promise<InferenceSession> => {
        try {
          return await ort.InferenceSession.create(program.bytes, sessionOptions(settings));
        } catch (cause) {
          return fail("run/compile", `ONNX Runtime refuses the program: ${firstLine(cause)}`, {
            where: `program ${program.hash.slice(0, 12)}`,
            cause,
          });
        }
      };

      let before = heldBytes();
      let weighed = false;
      await cache.use(key, load, async () => {});
      return {
        async run(feeds, into = {}) {
          check(!released, "run/released", "this program was released");
          checkFeeds(program, feeds, into);
          const results = await cache.use(key, load, (session) => run(session, feeds, into));
          if (!weighed) {
            // The arena grows in the first run: what the process gained is what the session holds.
            weighed = true;
            const gained = heldBytes() - before;
            await cache.weigh(key, Math.max(program.bytes.length, gained));
            before = 0;
          }
          return results;
        },
        async release() {
          // The session stays loaded until the budget needs its place: compiling again is free.
          released = true;
        },
      };
    },
    release: () => cache.clear(),
    sessions: () => ({ loaded: cache.keys().length, bytes: cache.bytes() }),
  };
}

function settingsFor(
  program: Program,
  options: CompileOptions & { threads: number; denormalsAsZero?: boolean },
) {
  return {
    // ScatterND with a reduction races in ORT's CPU kernel: two threads may lose an update.
    threads: racing(program.bytes) ? 1 : options.threads,
    prepack: options.prepack ?? false,
    denormalsAsZero: options.denormalsAsZero,
    externalFolder: program.externalFolder,
  };
}

/** Whether the bytes of an ONNX file name both `ScatterND` and a `reduction`. */
export function racing(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return text.includes("ScatterND") && text.includes("reduction");
}

function unwrap(value: OrtTensor): Tensor {
  const dtype = value.type as DType;
  let data = value.data as TypedArrays[DType];
  // Newer engines hand out Float16Array; we keep the bits.
  if (dtype === "float16" && !(data instanceof Uint16Array)) {
    const { buffer, byteOffset, length } = data as Float32Array;
    data = new Uint16Array(buffer as ArrayBuffer, byteOffset, length);
  }
  return tensor(dtype, value.dims, data);
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!;
}
