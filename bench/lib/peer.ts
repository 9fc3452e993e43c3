// What does another tool need for the same work? Asks a script in bench/peers, if its Python is here.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const own = ["bench/peers/venv/bin/python", "bench/peers/venv/Scripts/python.exe"];

/** Of the script's last line, which is JSON; undefined when the peer is not installed. */
export function askPeer(script: string, args: readonly (string | number)[]) {
  const python = process.env.PEERS_PYTHON ?? own.find((path) => existsSync(path));
  if (python === undefined) return undefined;
  try {
    const out = execFileSync(python, [`bench/peers/${script}`, ...args.map(String)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", process.env.PEERS_TALK ? "inherit" : "ignore"],
    });
    return JSON.parse(out.trim().split("\n").at(-1)!) as { ms: number };
  } catch (error) {
    if (process.env.PEERS_TALK) console.error(error);
    return undefined;
  }
}

export const noPeer = "peer not installed: see bench/peers/README.md";
