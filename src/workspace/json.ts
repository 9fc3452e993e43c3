// JSON that came from a file: parsed and checked, or refused with a code that says which file.
import type { z } from "zod";
import { fail } from "../base/errors.ts";
import type { Store } from "../storage/store.ts";

/** Larger than any manifest; a hostile file must not fill the memory. */
const maxBytes = 32 * 2 ** 20;

export async function readJson<T>(
  store: Store,
  key: string,
  schema: z.ZodType<T>,
  code: string,
): Promise<T> {
  const where = `${store.name}/${key}`;
  const bytes = await store.size(key);
  if (bytes !== undefined && bytes > maxBytes)
    fail(code, `${key} is too large to be what it says`, { where, got: `${bytes} bytes` });
  return parseJson(new TextDecoder().decode(await store.get(key)), schema, code, where);
}

export function parseJson<T>(text: string, schema: z.ZodType<T>, code: string, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return fail(code, "this file is damaged: it is not JSON", {
      where,
      got: text.length === 0 ? "an empty file" : `${text.length} characters`,
      hint: "it may have been cut off while it was written: run the job again",
      cause,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  return fail(code, `this file is not what it should be: ${issue.message}`, {
    where,
    got: issue.path.length === 0 ? typeof value : `at ${issue.path.join(".")}`,
  });
}
