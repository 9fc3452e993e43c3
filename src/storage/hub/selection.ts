// Which files of a repository are needed to open the model?
import { check, fail } from "../../base/errors.ts";
import { ggufModels, ggufParts } from "../gguf-files.ts";

const always = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "tokenizer.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "chat_template*",
  "additional_chat_templates/*",
  "preprocessor_config.json",
  "processor_config.json",
];

/** An index names its shards, so it is read before they are chosen. */
const indices = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/** Files without weights, and the index whose shards must be asked for, if there is one. */
export function neededFiles(paths: readonly string[]): { files: string[]; index?: string } {
  const files = paths.filter((path) => always.some((glob) => matches(glob, path)));
  const hasSafetensors = paths.some((path) => matches("*.safetensors", path));
  const index = indices
    .slice(0, hasSafetensors ? 1 : 2)
    .find((name) => paths.includes(name) && !paths.includes("model.safetensors"));
  return index === undefined ? { files } : { files: [...files, index], index };
}

/**
 * The weights where no index names them: safetensors; only without any, PyTorch's pickles; only
 * without those, GGUF, if it is of one model.
 */
export function weightFiles(
  paths: readonly string[],
  repo: string,
  sizeOf?: (path: string) => number,
): string[] {
  const groups = ["model.safetensors", "*.safetensors", "pytorch_model.bin", "pytorch_model*.bin"];
  for (const glob of groups) {
    const found = paths.filter(
      (path) => matches(glob, path) && !/^(consolidated|training_args)/.test(path),
    );
    if (found.length > 0) return found;
  }
  const models = ggufModels(paths);
  if (models.length > 0) return oneOf(models, repo, sizeOf);
  const other = paths.filter((path) => /\.(bin|pt|pth|gguf|onnx|h5|msgpack|npz)$/.test(path));
  return fail(
    "hub/no-weights",
    "the repository has no safetensors, no pytorch_model.bin and no GGUF",
    {
      where: repo,
      got: other.slice(0, 12).join(", ") || "no weights at all",
      hint: "choose files with --include, e.g. --include '*.onnx'",
    },
  );
}

/** One model in several quantisations: which of them is nobody's guess. */
function oneOf(
  models: readonly string[],
  repo: string,
  sizeOf?: (path: string) => number,
): string[] {
  const [first] = models;
  if (models.length === 1) return ggufParts(first!);
  const told = models.map((model) => {
    const bytes = ggufParts(model).reduce((sum, part) => sum + (sizeOf?.(part) ?? 0), 0);
    return sizeOf === undefined ? model : `${model} (${(bytes / 2 ** 20).toFixed(1)} MB)`;
  });
  const wide = models.find((model) => /(^|[^a-z0-9])(f32|bf16|f16|q8_0)[^a-z0-9]/i.test(model));
  const glob = (wide ?? first!).replace(/-00001-of-\d+\.gguf$/, "-*");
  return fail("hub/several-weights", "the repository holds several GGUF models", {
    where: repo,
    got: told.join(", "),
    wanted: "one of them",
    hint: `choose: micrographia pull ${repo} --include '${glob}'`,
  });
}

/** The shards that an index names, in order, each once. Refuses with `format/index`. */
export function shardsOf(index: string, where: string): string[] {
  let map: unknown;
  try {
    map = (JSON.parse(index) as { weight_map?: unknown } | null)?.weight_map;
  } catch (cause) {
    fail("format/index", "the index of the weights is not JSON", { where, cause });
  }
  const ok =
    typeof map === "object" && map !== null && Object.values(map).every((v) => isString(v));
  check(ok, "format/index", "the index of the weights has no weight_map", {
    where,
    wanted: "{weight_map: {tensor: file}}",
  });
  return [...new Set(Object.values(map as Record<string, string>))].sort();
}

function isString(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** Files that match any glob; each glob must match something. */
export function includedFiles(
  paths: readonly string[],
  globs: readonly string[],
  repo: string,
): string[] {
  for (const glob of globs)
    check(
      paths.some((path) => matches(glob, path, { deep: true })),
      "hub/no-match",
      "no file of the repository matches",
      {
        where: repo,
        got: glob,
        wanted: paths.slice(0, 30).join(", "),
      },
    );
  return paths.filter((path) => globs.some((glob) => matches(glob, path, { deep: true })));
}

/**
 * `*`, `?` and `[abc]`. `deep` as in Python's `allow_patterns`: `*` crosses folders; else it stays
 * within one.
 */
export function matches(glob: string, path: string, { deep = false } = {}): boolean {
  const pattern = glob.replace(/\*+|\?|\[!?[^\]]+\]|[\\^$.+(){}|[\]]/g, (part) => {
    if (part.startsWith("*")) return deep || part.length > 1 ? ".*" : "[^/]*";
    if (part === "?") return deep ? "." : "[^/]";
    if (part.length > 1) return part.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return `\\${part}`;
  });
  return new RegExp(`^${pattern}$`).test(path);
}
