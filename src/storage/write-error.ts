// Why could a file not be written? A full disk and a denied folder say what to do.
import { fail } from "../base/errors.ts";

/** Our error for those two, else the cause itself; the caller throws it. */
export function writeError(
  cause: unknown,
  name: string,
  folder: string,
  bytes: number,
  { denied = "choose another folder with --out" }: { denied?: string } = {},
): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EACCES" && code !== "EROFS") return cause;
  const full = code === "ENOSPC" || code === "EDQUOT";
  try {
    return fail(
      full ? "storage/full" : "storage/denied",
      full ? `the disk is full: ${name} was not written` : `${name} may not be written`,
      {
        where: folder,
        wanted: `${bytes} bytes`,
        hint: full ? "free some space and run again: what was saved before is intact" : denied,
        cause,
      },
    );
  } catch (error) {
    return error;
  }
}
