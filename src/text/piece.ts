// How is one token shown?

export interface TokenPiece {
  /** The token's characters; U+FFFD for bytes that are only a part of a character. */
  text: string;
  /** All its bytes in upper-case hexadecimal, when some are only a part of a character. */
  hex?: string;
  /** Its name, when it is not text but a mark such as `<|endoftext|>`. */
  special?: string;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

export function tokenPiece(bytes: Uint8Array, special?: string): TokenPiece {
  if (special !== undefined) return { text: "", special };
  try {
    return { text: strict.decode(bytes) };
  } catch {
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { text: lossy.decode(bytes), hex: hex.toUpperCase() };
  }
}
