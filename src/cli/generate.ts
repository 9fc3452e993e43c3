// micrographia generate: what a model writes on, as it writes, with or without interventions.
import { type Command, Option } from "commander";
import { fail } from "../base/errors.ts";
import { type During, type GeneratedToken, generate, interventionHash } from "../hooks/index.ts";
import { chatTemplateAt } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { chatPrompt } from "../text/index.ts";
import { exit } from "./exit.ts";
import { number } from "./format.ts";
import { onInterrupt } from "./interrupt.ts";
import {
  askedInterventions,
  type InterventionOptions,
  interventionOptions,
  several,
} from "./interventions.ts";
import { print } from "./job.ts";
import { type ModelOptions, modelArgument, modelOptions, modelPath, openPath } from "./models.ts";
import { type CommonOptions, commonOptions, positive, real, whole } from "./options.ts";

interface Options extends CommonOptions, InterventionOptions, ModelOptions {
  prompt: string;
  chat?: boolean;
  max_new_tokens: number;
  temperature: number;
  top_k: number;
  top_p: number;
  min_p: number;
  stop?: string[];
  during: During;
  logprobs: number;
}

export function define(command: Command): Command {
  const described = modelOptions(commonOptions(command))
    .argument("<model>", modelArgument)
    .requiredOption("--prompt <text>", "what it writes on from")
    .option("--chat", "the prompt is a user's message, put into the model's chat template")
    .option("--max_new_tokens <n>", "tokens to write", positive, 64)
    .option("--temperature <t>", "0 takes the likeliest token", real, 0)
    .option("--top_k <n>", "draw from the n likeliest; 0 is all", whole, 0)
    .option("--top_p <p>", "draw from the likeliest with this probability together", real, 1)
    .option("--min_p <p>", "leave out what is less probable, as a share of the likeliest", real, 0)
    .option("--stop <text>", "end where this is written; may be repeated", several)
    .option("--logprobs <n>", "with --json: the n likeliest tokens at each step", whole, 0);
  return interventionOptions(described).addOption(
    new Option("--during <when>", "where interventions act")
      .choices(["prompt", "new", "both"])
      .default("both"),
  );
}

export async function run(reference: string, options: Options): Promise<number> {
  const path = await modelPath(reference, options.out);
  const model = await openPath(path, options);
  const { tokenizer } = model;
  if (tokenizer === undefined)
    return fail("model/tokenizer", "this model has no tokenizer", {
      where: path,
      wanted: "tokenizer.json beside config.json, or a tokenizer of the format's own",
    });
  const text = options.chat ? await asChat(path, options.prompt) : options.prompt;
  const ids = tokenizer.encode(text, { special: options.chat !== true });
  const interventions = await askedInterventions(options);
  const backend = ortBackend({ threads: options.threads });
  const stop = new AbortController();
  const interrupt = onInterrupt({
    first: () => stop.abort(),
    second: () => process.exit(exit.interrupted),
  });
  const written: GeneratedToken[] = [];
  let shown = "";
  try {
    for await (const { rows } of generate(
      model,
      backend,
      [ids],
      {
        max_new_tokens: options.max_new_tokens,
        temperature: options.temperature,
        top_k: options.top_k,
        top_p: options.top_p,
        min_p: options.min_p,
        seed: options.seed,
        stop: options.stop,
        stopTokens: [tokenizer.eot],
        interventions,
        during: options.during,
        logprobs: options.logprobs,
      },
      { signal: stop.signal },
    )) {
      written.push(rows[0]!);
      if (options.json) continue;
      const whole = wholeCharacters(tokenizer.decode(written.map(({ token }) => token)));
      process.stdout.write(whole.slice(shown.length));
      shown = whole;
    }
  } finally {
    interrupt.off();
    await backend.release();
  }
  const tokens = written.map(({ token }) => token);
  if (!options.json) {
    process.stdout.write(`${tokenizer.decode(tokens).slice(shown.length)}\n`);
    return exit.done;
  }
  await print(
    JSON.stringify({
      model: model.config.name,
      hash: interventions.length === 0 ? null : interventionHash(interventions),
      during: interventions.length === 0 ? null : options.during,
      prompt: text,
      prompt_tokens: [...ids],
      text: tokenizer.decode(tokens),
      tokens: written.map(({ token, logprob, top, finish }) => ({
        token,
        text: tokenizer.decode([token]),
        logprob: Number(number(logprob)),
        ...(options.logprobs > 0 ? { top } : {}),
        ...(finish === undefined ? {} : { finish }),
      })),
    }),
  );
  return exit.done;
}

/** A character may be spread over tokens: what is not complete yet is not shown. */
function wholeCharacters(text: string): string {
  return text.replace(/\ufffd+$/u, "");
}

async function asChat(path: string, prompt: string): Promise<string> {
  return chatPrompt([{ role: "user", content: prompt }], {
    ...(await chatTemplateAt(path)),
    add_generation_prompt: true,
  });
}
