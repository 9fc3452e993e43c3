// Where does a text stand that is too long for an address? In this tab; the address holds its name.
const longest = 3_000;
const memory = new Map<string, string>();

/** FNV-1a, 32 bits: a name, not a guarantee. */
function nameOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(36)}`;
}

export interface HeldText {
  text?: string;
  held?: string;
}

export function toAddress(text: string): HeldText {
  if (text === "") return { text: undefined, held: undefined };
  if (text.length <= longest) return { text, held: undefined };
  const held = nameOf(text);
  memory.set(held, text);
  try {
    sessionStorage.setItem(`micrographia.text.${held}`, text);
  } catch {
    // A full store: the text lives as long as the page.
  }
  return { text: undefined, held };
}

/** Null when the address names a text that this tab does not hold. */
export function fromAddress({ text, held }: HeldText): string | null {
  if (held === undefined) return text ?? "";
  return memory.get(held) ?? sessionStorage.getItem(`micrographia.text.${held}`);
}

/** Features a token that are asked for: fewer for a long text, so that the answer stays small. */
export function topFor(text: string): number {
  return text.length <= 4_000 ? 64 : text.length <= 100_000 ? 8 : 3;
}
