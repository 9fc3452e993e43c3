// Which tokens stand around a text? The policy that a model was trained with, as data.
import { refuse } from "./refuse.ts";

/** Never applied silently: `encode(text, { special: true })` asks for it. */
export interface SpecialPolicy {
  /** Ids put before and after one text. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Who says so: the post-processor of tokenizer.json, tokenizer_config.json, or nobody. */
  readonly source: "template" | "config" | "none";
}

type Json = Record<string, unknown>;

/** What tokenizer_config.json may say of it. */
export interface TokenizerConfig {
  readonly add_bos_token?: boolean | null;
  readonly add_eos_token?: boolean | null;
  readonly bos_token?: string | { content?: string } | null;
  readonly eos_token?: string | { content?: string } | null;
  readonly [key: string]: unknown;
}

export function nameOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/**
 * The template for one text, and then `add_bos_token` and `add_eos_token` of the configuration, which
 * add or take away the outermost token, as Python's classes do.
 */
export function readPolicy(
  postProcessor: unknown,
  idOf: (name: string) => number | undefined,
  config: TokenizerConfig = {},
): SpecialPolicy {
  const template = readTemplate(postProcessor, idOf);
  let { before, after } = template;
  let source: SpecialPolicy["source"] =
    template.before.length + template.after.length > 0 ? "template" : "none";
  const bos = idOf(nameOf(config.bos_token) ?? "");
  const eos = idOf(nameOf(config.eos_token) ?? "");
  const set = (wanted: unknown, id: number | undefined, ids: readonly number[], at: number) => {
    if (typeof wanted !== "boolean" || id === undefined || (ids.at(at) === id) === wanted)
      return ids;
    source = "config";
    if (!wanted) return at === 0 ? ids.slice(1) : ids.slice(0, -1);
    return at === 0 ? [id, ...ids] : [...ids, id];
  };
  before = set(config.add_bos_token, bos, before, 0);
  after = set(config.add_eos_token, eos, after, -1);
  return { before, after, source };
}

function readTemplate(
  json: unknown,
  idOf: (name: string) => number | undefined,
): { before: readonly number[]; after: readonly number[] } {
  const none = { before: [], after: [] };
  if (json === null || json === undefined) return none;
  const step = json as Json;
  switch (step.type) {
    case "ByteLevel":
      return none;
    case "Sequence": {
      const steps = Array.isArray(step.processors) ? step.processors : [];
      return steps
        .map((one) => readTemplate(one, idOf))
        .reduce(
          (sum, { before, after }) => ({
            before: [...before, ...sum.before],
            after: [...sum.after, ...after],
          }),
          none,
        );
    }
    case "BertProcessing":
    case "RobertaProcessing":
      return { before: [pairId(step.cls)], after: [pairId(step.sep)] };
    case "TemplateProcessing":
      return readSingle(step, idOf);
    default:
      return refuse("its post-processor has an unknown step", step.type, "TemplateProcessing");
  }
}

function pairId(pair: unknown): number {
  const id = Array.isArray(pair) ? pair[1] : undefined;
  return Number.isInteger(id) ? id : refuse("a token of the post-processor", pair, "[name, id]");
}

function readSingle(step: Json, idOf: (name: string) => number | undefined) {
  const special = (step.special_tokens ?? {}) as Record<string, { ids?: number[] }>;
  const items = Array.isArray(step.single) ? (step.single as Json[]) : [];
  const at = items.findIndex((item) => item?.Sequence !== undefined);
  if (at < 0) refuse("the template of the post-processor", step.single, "a Sequence in it");
  const idsOf = (item: Json): number[] => {
    const name = (item?.SpecialToken as { id?: string } | undefined)?.id;
    const id = name === undefined ? undefined : idOf(name);
    const ids = special[name ?? ""]?.ids ?? (id === undefined ? undefined : [id]);
    return ids?.every(Number.isInteger)
      ? ids
      : refuse("the template of the post-processor", item, "ids");
  };
  return {
    before: items.slice(0, at).flatMap(idsOf),
    after: items.slice(at + 1).flatMap(idsOf),
  };
}
