// npm run dev [-- FOLDER]: the server and the app, both started again as their sources change.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

const folder = process.argv[2] ?? "runs";
const port = "4717";
const tsx = createRequire(import.meta.url).resolve("tsx/cli");
const serve = ["src/cli/main.ts", "serve", "--out", folder, "--port", port, "--no-open"];
const children = [
  [tsx, "watch", ...serve],
  ["node_modules/vite/bin/vite.js", "--open"],
].map((args) =>
  spawn(process.execPath, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, MICROGRAPHIA_API: `http://127.0.0.1:${port}` },
  }),
);
for (const child of children)
  child.on("exit", (code) => {
    for (const other of children) other.kill();
    process.exitCode ??= code ?? 130;
  });
