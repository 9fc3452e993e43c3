// Which files hold one GGUF model, by their names? One, or the parts of `model-00001-of-00003.gguf`.

export interface GgufPart {
  readonly stem: string;
  /** From 0. */
  readonly no: number;
  readonly count: number;
}

/** Undefined: by its name it is whole. */
export function ggufPart(key: string): GgufPart | undefined {
  const [, stem, no, count] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(key) ?? [];
  if (stem === undefined || Number(no) < 1 || Number(no) > Number(count)) return undefined;
  return { stem, no: Number(no) - 1, count: Number(count) };
}

export function partKeys({ stem, count }: GgufPart): string[] {
  const five = (n: number): string => String(n).padStart(5, "0");
  return Array.from({ length: count }, (_, i) => `${stem}-${five(i + 1)}-of-${five(count)}.gguf`);
}

/** All files of the model that this one is of, first to last, whether or not they are there. */
export function ggufParts(key: string): string[] {
  const part = ggufPart(key);
  return part === undefined ? [key] : partKeys(part);
}

/**
 * The first file of each model, sorted. The tower of one that sees lies beside it and is none, nor is
 * what a quantiser measured.
 */
export function ggufModels(keys: readonly string[]): string[] {
  const found = keys.filter(
    (key) => key.endsWith(".gguf") && !/(^|\/)(mmproj|imatrix)[^/]*$/i.test(key),
  );
  return [...new Set(found.map((key) => ggufParts(key)[0]!))].sort();
}
