// Which command is meant? Its module alone is loaded, and its exit code is ours.
import { Command, CommanderError } from "commander";
import { packageVersion } from "../workspace/package.ts";
import { problemOf } from "../workspace/problem.ts";
import { exit, exitCodeOf, problemText } from "./exit.ts";

interface Verb {
  define(command: Command): Command;
  /** Arguments, then options, as commander gives them; resolves with the exit code. */
  run(...args: never[]): Promise<number>;
}

const verbs: Readonly<Record<string, { summary: string; load: () => Promise<Verb> }>> = {
  demo: {
    summary: "the whole path on the bundled organism, live in the browser",
    load: () => import("./demo.ts"),
  },
  pull: {
    summary: "fetch a model from the Hugging Face hub into its cache",
    load: () => import("./pull.ts"),
  },
  grow: {
    summary: "train a small language model from a recipe",
    load: () => import("./grow.ts"),
  },
  run: {
    summary: "what a model makes of a prompt, at any site, without and with interventions",
    load: () => import("./run.ts"),
  },
  generate: {
    summary: "let a model write on, with interventions on the prompt, on new tokens, or on both",
    load: () => import("./generate.ts"),
  },
  record: {
    summary: "write a site's activations over texts to shards",
    load: () => import("./record.ts"),
  },
  train: {
    summary: "learn a dictionary of a site's features",
    load: () => import("./train.ts"),
  },
  evaluate: {
    summary: "measure a dictionary beside its controls and baselines",
    load: () => import("./evaluate.ts"),
  },
  describe: {
    summary: "make the pages of a dictionary's features",
    load: () => import("./describe.ts"),
  },
  serve: { summary: "show a project folder in the browser", load: () => import("./serve.ts") },
  info: {
    summary: "what is installed, and what is known about a model or dictionary",
    load: () => import("./info.ts"),
  },
};

/** Resolves with the exit code; never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes("--json");
  let code: number = exit.done;
  const program = new Command("micrographia")
    .description("An instrument for looking inside neural networks.")
    .version(packageVersion(), "-v, --version")
    .exitOverride()
    .showHelpAfterError("(--help shows what there is)");
  const asked = argv.find((arg) => !arg.startsWith("-")) ?? "";
  for (const [name, { summary, load }] of Object.entries(verbs)) {
    const command = program.command(name).description(summary).exitOverride();
    command.showHelpAfterError("(--help shows what there is)");
    // Help on one command shows its options; the others are named only.
    if (name !== asked && !(asked === "help" && argv.includes(name))) continue;
    const verb = await load();
    verb.define(command).action(async (...args: unknown[]) => {
      // Commander adds the command itself at the end.
      code = await verb.run(...(args.slice(0, -1) as never[]));
    });
  }
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage;
    const problem = problemOf(error);
    if (json) process.stdout.write(`${JSON.stringify({ problem })}\n`);
    process.stderr.write(`${problemText(problem)}\n`);
    if (problem.code === "internal" && process.env.MICROGRAPHIA_DEBUG) console.error(error);
    return exitCodeOf(problem);
  }
}
