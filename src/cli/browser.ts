// Opens an address in the person's browser, where there is one.
import { spawn } from "node:child_process";

/** False when there is no display to open it on. */
export function openBrowser(
  url: string,
  { platform = process.platform, env = process.env } = {},
): boolean {
  const display = env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME;
  if (env.CI || env.SSH_CONNECTION || (platform === "linux" && !display)) return false;
  const [command, ...args] =
    platform === "darwin"
      ? ["open", url]
      : platform === "win32"
        ? ["cmd", "/c", "start", "", url]
        : ["xdg-open", url];
  const child = spawn(command!, args, { stdio: "ignore", detached: true });
  // No browser is no reason to fail: the address is printed too.
  child.on("error", () => undefined);
  child.unref();
  return true;
}
