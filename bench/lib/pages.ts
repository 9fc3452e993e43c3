// A bench that reads a model's weights again and again does so through large pages, as `generate` does; so do its peers.
import { runAgain } from "../../src/cli/again.ts";
import { largePages } from "../../src/runtime/index.ts";

/** Runs this bench once more where large pages are to be had, and ends this process with its exit code. */
export async function throughLargePages(): Promise<void> {
  const env = largePages();
  if (env !== undefined) process.exit(await runAgain(env));
}
