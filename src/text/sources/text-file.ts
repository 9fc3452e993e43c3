// Is this file text, and what does it say? Read in parts, so that its size does not matter.
import { open } from "node:fs/promises";

const partBytes = 1 << 22;

/**
 * The text in parts that end at a line's end where there is one within 4 MiB, or undefined for a
 * binary file: a NUL byte, or more than one byte in two hundred that is no UTF-8, in the first part.
 */
export async function readTextFile(path: string): Promise<AsyncGenerator<string> | undefined> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(1 << 16);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (isBinary(head.subarray(0, bytesRead))) return undefined;
  } finally {
    await file.close();
  }
  return parts(path);
}

async function* parts(path: string): AsyncGenerator<string> {
  const file = await open(path, "r");
  try {
    const decoder = new TextDecoder("utf-8"); // drops a byte order mark
    const bytes = Buffer.alloc(partBytes);
    let rest = "";
    for (;;) {
      const { bytesRead } = await file.read(bytes, 0, partBytes, null);
      if (bytesRead === 0) break;
      rest += decoder.decode(bytes.subarray(0, bytesRead), { stream: true });
      if (bytesRead < partBytes) continue; // near the end of the file: one part
      const end = rest.lastIndexOf("\n") + 1 || (rest.length > partBytes ? rest.length : 0);
      if (end > 0) yield lineEnds(rest.slice(0, end));
      rest = rest.slice(end);
    }
    rest += decoder.decode();
    if (rest !== "") yield lineEnds(rest);
  } finally {
    await file.close();
  }
}

const lineEnds = (text: string): string => text.replace(/\r\n?/g, "\n");

export function isBinary(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return true;
  const text = new TextDecoder().decode(bytes);
  let broken = 0;
  // A character that the end of the stretch cuts in two counts as one: below the threshold.
  for (const char of text) if (char === "\ufffd") broken += 1;
  return broken > Math.max(1, bytes.length / 200);
}
