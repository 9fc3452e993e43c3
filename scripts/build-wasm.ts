// Compiles src/dictionaries/kernels.as.ts; with --check, fails when the committed bytes are not what the source gives.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const source = "src/dictionaries/kernels.as.ts";
const target = "src/dictionaries/kernels.generated.ts";
const flags = ["-O3", "--noAssert", "--converge", "--runtime", "stub", "--enable", "simd"];

function compile(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "kernels-"));
  try {
    const file = join(folder, "kernels.wasm");
    const compiler = "node_modules/assemblyscript/bin/asc.js";
    execFileSync(process.execPath, [compiler, source, "--outFile", file, ...flags], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const bytes = compile();
const lines = bytes.toString("base64").match(/.{1,90}/g)!;
const text = `// Generated from kernels.as.ts by scripts/build-wasm.ts: do not edit.
export const kernelBytes =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;

if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
  console.log(`${target}: ${bytes.length} bytes of WebAssembly`);
} else if (readFileSync(target, "utf8") !== text) {
  console.error(`${target} is not what ${source} compiles to: run npx tsx scripts/build-wasm.ts`);
  process.exit(1);
} else {
  console.log("wasm: the committed bytes are what the source gives");
}
