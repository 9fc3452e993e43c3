// npm start: builds what is stale, then runs `micrographia demo` with the arguments that follow.
import { build } from "./build.mjs";

process.once("SIGINT", interrupted);
try {
  await build({ say: console.error });
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.off("SIGINT", interrupted);
process.argv.splice(2, 0, "demo");
await import("../dist/cli/main.js");

function interrupted() {
  process.exit(130);
}
