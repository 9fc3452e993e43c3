// Which files hold one GGUF model that was split, by their names: `model-00001-of-00003.gguf`.

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

/** One entry a model: a split one is its first part, whether or not the others are there. */
export function ggufModels(keys: readonly string[]): string[] {
  const found = keys.filter((key) => key.endsWith(".gguf"));
  const firsts = found.map((key) => {
    const part = ggufPart(key);
    return part === undefined ? key : partKeys(part)[0]!;
  });
  return [...new Set(firsts)];
}
