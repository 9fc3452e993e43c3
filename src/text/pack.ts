// How do documents become rows of n_ctx tokens, each with its label?
import { check } from "../base/errors.ts";
import type { Document } from "./document.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The label of end-of-text tokens, as separators and as padding. */
export const endContext = "end-of-text";

export interface TokenRows {
  n_ctx: number;
  rows: number;
  tokens: Int32Array; // [rows * n_ctx]
  /** Index into `contexts`: the label of the token's first character. */
  context: Uint16Array; // [rows * n_ctx]
  /** Index into `documents`; an end-of-text token belongs to the document that it ends. */
  doc: Int32Array; // [rows * n_ctx]
  contexts: string[];
  documents: { id: string; context: string; source: string }[];
}

export interface PackOptions {
  n_ctx: number;
  /** Fixes the first indices of `contexts`; contexts met later are appended. */
  contexts?: readonly string[];
  /** Every document begins a row, and its last row is padded with end-of-text. */
  wholeDocs?: boolean;
}

/**
 * Joins the documents, each followed by end-of-text. What does not fill the last row is dropped, but
 * there is at least one row, padded with end-of-text.
 */
export function packRows(
  tokenizer: Tokenizer,
  documents: Iterable<Document>,
  { n_ctx, contexts = [], wholeDocs = false }: PackOptions,
): TokenRows {
  const packer = startPacking(tokenizer, n_ctx, contexts);
  for (const document of documents) {
    packer.add(document);
    if (wholeDocs) packer.pad();
  }
  check(packer.documents.length > 0, "text/empty", "there is no text to pack into rows", {
    hint: "name a file or folder with text in it",
  });
  if (packer.length < n_ctx) packer.pad();
  return packer.take(Math.floor(packer.length / n_ctx));
}

/** So many rows at most, spread over all of them. */
export function spreadRows(all: TokenRows, count: number): TokenRows {
  const { n_ctx } = all;
  const rows = Math.max(1, Math.min(count, all.rows));
  const pick = <T extends Int32Array | Uint16Array>(from: T, out: T): T => {
    for (let i = 0; i < rows; i++) {
      const at = Math.floor((i * all.rows) / rows) * n_ctx;
      out.set(from.subarray(at, at + n_ctx), i * n_ctx);
    }
    return out;
  };
  const n = rows * n_ctx;
  return {
    ...all,
    rows,
    tokens: pick(all.tokens, new Int32Array(n)),
    context: pick(all.context, new Uint16Array(n)),
    doc: pick(all.doc, new Int32Array(n)),
  };
}

/** Rows as documents come: for growing, where they never end. */
export interface Packer {
  /** Tokens that wait to be taken. */
  readonly length: number;
  readonly documents: readonly { id: string; context: string; source: string }[];
  add(document: Document): void;
  /** End-of-text up to the next full row. */
  pad(): void;
  /** Takes the first rows off. */
  take(rows: number): TokenRows;
  /** Throws the first tokens away. */
  drop(count: number): void;
}

export function startPacking(
  tokenizer: Tokenizer,
  n_ctx: number,
  contexts: readonly string[] = [],
): Packer {
  check(Number.isInteger(n_ctx) && n_ctx > 0, "text/n-ctx", "a row has at least one token", {
    got: n_ctx,
    wanted: "a positive integer",
  });
  const names = [...contexts];
  const indexOf = new Map(names.map((name, i) => [name, i]));
  let documents: { id: string; context: string; source: string }[] = [];
  let tokens = new Int32Array(4096);
  let context = new Uint16Array(4096);
  let doc = new Int32Array(4096);
  let length = 0;

  const index = (name: string): number => {
    let found = indexOf.get(name);
    if (found === undefined) {
      found = names.push(name) - 1;
      check(found < 65536, "text/contexts", "more than 65,536 contexts", { got: name });
      indexOf.set(name, found);
    }
    return found;
  };
  const reserve = (more: number): void => {
    if (length + more <= tokens.length) return;
    const size = 2 * (length + more);
    tokens = grown(tokens, new Int32Array(size));
    context = grown(context, new Uint16Array(size));
    doc = grown(doc, new Int32Array(size));
  };
  const fillEnd = (count: number): void => {
    reserve(count);
    tokens.fill(tokenizer.eot, length, length + count);
    context.fill(index(endContext), length, length + count);
    doc.fill(documents.length - 1, length, length + count);
    length += count;
  };

  const drop = (n: number): void => {
    // What is left begins in the last document taken, or after it.
    const first = n < length ? doc[n]! : documents.length;
    tokens.copyWithin(0, n, length);
    context.copyWithin(0, n, length);
    for (let i = n; i < length; i++) doc[i - n] = doc[i]! - first;
    length -= n;
    documents = documents.slice(first);
  };

  return {
    drop,
    get length() {
      return length;
    },
    get documents() {
      return documents;
    },
    add(document) {
      const { ids, label } = labelled(tokenizer, document, index);
      documents.push({ id: document.id, context: document.context, source: document.source });
      reserve(ids.length);
      tokens.set(ids, length);
      if (typeof label === "number") context.fill(label, length, length + ids.length);
      else context.set(label, length);
      doc.fill(documents.length - 1, length, length + ids.length);
      length += ids.length;
      fillEnd(1);
    },
    pad() {
      fillEnd((n_ctx - (length % n_ctx)) % n_ctx);
    },
    take(rows) {
      const n = rows * n_ctx;
      check(n <= length, "text/rows", "not so many rows are waiting", {
        got: rows,
        wanted: length,
      });
      const taken: TokenRows = {
        n_ctx,
        rows,
        tokens: tokens.slice(0, n),
        context: context.slice(0, n),
        doc: doc.slice(0, n),
        contexts: [...names],
        documents: n === 0 ? [] : documents.slice(0, doc[n - 1]! + 1),
      };
      drop(n);
      return taken;
    },
  };
}

function grown<T extends Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** One label for all tokens, or one each where the document has spans. */
function labelled(
  tokenizer: Tokenizer,
  { text, context, spans = [] }: Document,
  index: (name: string) => number,
): { ids: Int32Array; label: number | Uint16Array } {
  const whole = index(context);
  if (spans.length === 0) return { ids: tokenizer.encode(text), label: whole };
  const { ids, chars } = tokenizer.encodeWithOffsets(text);
  const label = new Uint16Array(ids.length).fill(whole);
  let s = 0;
  for (let i = 0; i < ids.length; i++) {
    const first = chars[2 * i]!;
    while (s < spans.length && spans[s]!.end <= first) s += 1;
    if (s < spans.length && spans[s]!.start <= first) label[i] = index(spans[s]!.context);
  }
  return { ids, label };
}
