// What do the last bits of a result depend on, besides model and tokens? Recordings carry it, and replays compare it.
import { readFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { packageVersion } from "../base/package.ts";
import type { Backend } from "./backend.ts";

/** Where two of these are equal, the same program on the same feeds gives the same bits. */
export interface BuildInfo {
  /** The version of this package: it decides on graphs, and on how many rows go into a run. */
  readonly micrographia: string;
  readonly node: string;
  /** `onnxruntime 1.30.0`, `reference`. */
  readonly engine: string;
  /** As the backend was made: threads, pre-packing. */
  readonly options: Readonly<Record<string, boolean | number | string>>;
  readonly platform: string;
  readonly arch: string;
  /** As the system names it, and which of the instructions it has that kernels are chosen by. */
  readonly cpu: { readonly model: string; readonly flags: readonly string[] };
}

export async function buildInfo(backend: Backend): Promise<BuildInfo> {
  return {
    micrographia: packageVersion(),
    node: process.version,
    engine: await engineOf(backend),
    options: definedOf(backend.options ?? {}),
    platform: platform(),
    arch: arch(),
    cpu: { model: cpus()[0]?.model.trim() || "unknown", flags: cpuFlags() },
  };
}

/** What of two builds is not the same, told to people; nothing where bits must agree. */
export function buildDifferences(then: BuildInfo, now: BuildInfo): string[] {
  const told = (of: BuildInfo): Record<string, unknown> => ({
    ...of,
    ...Object.fromEntries(Object.entries(of.options).map(([key, value]) => [key, value])),
    cpu: of.cpu.model,
    instructions: of.cpu.flags.join(" "),
    options: undefined,
  });
  const [a, b] = [told(then), told(now)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => a[key] !== b[key])
    .map((key) => `${key}: ${a[key] ?? "not set"} then, ${b[key] ?? "not set"} now`);
}

async function engineOf({ name }: Backend): Promise<string> {
  if (name !== "onnxruntime") return name;
  const { env } = await import("onnxruntime-node");
  return `${name} ${env.versions.node ?? env.versions.common}`;
}

/** Families of instructions that ONNX Runtime's kernels, and their order of adding, differ by. */
const counts =
  /^(sse4_1|avx|avx2|avx512\w*|avx_vnni|avx_ne_convert|fma|f16c|amx_\w+|asimd\w*|fphp|sve\w*|sme\w*|i8mm|bf16)$/;

let known: readonly string[] | undefined;

/** Sorted; empty where the system does not tell. */
function cpuFlags(): readonly string[] {
  known ??= flagsIn(readQuietly("/proc/cpuinfo"));
  return known;
}

/** Of the first core in the text of /proc/cpuinfo: `flags` on x64, `Features` on arm64. */
export function flagsIn(text: string): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1] ?? "";
  return line
    .split(/\s+/)
    .filter((flag) => counts.test(flag))
    .sort();
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Other systems have no such file: the model's name has to do.
    return "";
  }
}

function definedOf(options: Readonly<Record<string, unknown>>): BuildInfo["options"] {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as BuildInfo["options"];
}
