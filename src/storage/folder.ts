// A folder as a store: atomic writes, keys that cannot leave it.
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { check, fail } from "../base/errors.ts";
import type { Store } from "./store.ts";
import { writeError } from "./write-error.ts";

/** Keys use `/`. A key with `..`, an absolute key or a NUL is refused with `storage/key`. */
export function folderStore(path: string): Store {
  const folder = resolve(path);

  const pathOf = (key: string): string => {
    const parts = key.split("/");
    const bad = parts.some((p) => p === "" || p === "." || p === "..") || /[\0\\]/.test(key);
    check(!bad, "storage/key", "this key would leave its folder", { where: folder, got: key });
    return join(folder, ...parts);
  };

  const missing = (key: string, cause: unknown): never => {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR")
      fail("storage/missing", `no such file: ${key}`, { where: folder, got: key, cause });
    throw cause;
  };

  return {
    name: folder,
    folder,
    async get(key) {
      try {
        return await readFile(pathOf(key));
      } catch (cause) {
        return missing(key, cause);
      }
    },
    async getRange(key, start, end) {
      const file = await open(pathOf(key)).catch((cause) => missing(key, cause));
      try {
        const bytes = new Uint8Array(end - start);
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        check(done === bytes.length, "storage/short", `${key} ends early`, {
          where: folder,
          got: `${start + done} bytes`,
          wanted: `${end} bytes`,
        });
        return bytes;
      } finally {
        await file.close();
      }
    },
    async size(key) {
      try {
        const found = await stat(pathOf(key));
        return found.isFile() ? found.size : undefined;
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code;
        if (code === "ENOENT" || code === "ENOTDIR") return undefined;
        throw cause;
      }
    },
    async put(key, bytes) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true });
      const temporary = `${path}.${randomUUID().slice(0, 8)}.part`;
      try {
        const file = await open(temporary, "w");
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (cause) {
        await rm(temporary, { force: true });
        throw writeError(cause, key, folder, bytes.length);
      }
    },
    async append(key, bytes) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true });
      try {
        await appendFile(path, bytes);
      } catch (cause) {
        throw writeError(cause, key, folder, bytes.length);
      }
    },
    async list(prefix = "") {
      const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
      return found
        .filter((entry) => entry.isFile() && !entry.name.endsWith(".part"))
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .map((key) => key.split(sep).join("/"))
        .filter((key) => key.startsWith(prefix))
        .sort();
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}
