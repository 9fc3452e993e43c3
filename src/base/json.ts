// JSON that others wrote: parsed, unless it nests so deeply that whoever walks it would fall.

/** Configurations, tokenizers and indices nest about ten levels. */
const maxDepth = 128;

/** As JSON.parse. Throws a SyntaxError also for what nests more than 128 levels. */
export function parseJson(text: string): unknown {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inText) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inText = false;
    } else if (c === 0x22) inText = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > maxDepth) throw new SyntaxError(`JSON nests more than ${maxDepth} levels`);
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return JSON.parse(text);
}
