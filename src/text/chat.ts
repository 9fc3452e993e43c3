// What does a model read when people talk? Its own template, from tokenizer_config.json or a .jinja.
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { check, fail } from "../base/errors.ts";
import { nameOf, type TokenizerConfig } from "./specials.ts";

export interface ChatMessage {
  readonly role: string;
  readonly content: string | readonly Readonly<Record<string, unknown>>[] | null;
  readonly [key: string]: unknown;
}

export interface ChatOptions {
  /** Jinja, as in `chat_template`. */
  template: string;
  /** Ends with the opening of the assistant's turn. Default false, as in transformers. */
  add_generation_prompt?: boolean;
  /** The last message goes on: what the template puts after its content is cut off. */
  continue_final_message?: boolean;
  tools?: readonly unknown[];
  documents?: readonly unknown[];
  bos_token?: string;
  eos_token?: string;
  /** Other variables of the template, e.g. `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>>;
  /** What `strftime_now` tells: a template may write the date. */
  now?: Date;
}

/**
 * The text of a conversation. It holds its own marks (`<s>`, `<|im_start|>`), so it is encoded without
 * `special`. Errors: `text/chat-template` (not Jinja, or it fails), `text/chat-refused` (the template
 * itself raises an exception).
 */
export function chatPrompt(
  messages: readonly ChatMessage[],
  {
    template,
    add_generation_prompt = false,
    continue_final_message = false,
    tools,
    documents,
    bos_token = "",
    eos_token = "",
    variables = {},
    now = new Date(),
  }: ChatOptions,
): string {
  check(Array.isArray(messages) && messages.length > 0, "text/chat", "there are no messages", {
    got: messages,
    wanted: "[{role, content}, …]",
  });
  messages.forEach((message, i) => {
    check(typeof message?.role === "string", "text/chat", "a message has no role", {
      where: `message ${i}`,
      got: message,
      wanted: "{role, content}",
    });
  });
  check(
    !(add_generation_prompt && continue_final_message),
    "text/chat",
    "a message cannot go on and a new one begin",
    { wanted: "add_generation_prompt or continue_final_message, not both" },
  );
  let refusal: string | undefined;
  let text: string;
  try {
    // Not `render`: it declares an exception and a clock of its own.
    const environment = new Environment();
    const globals = {
      true: true,
      false: false,
      none: null,
      True: true,
      False: false,
      None: null,
      range,
      raise_exception: (message: unknown) => {
        refusal = String(message);
        throw new Error(refusal);
      },
      strftime_now: (format: string) => formatDate(now, format),
      messages,
      add_generation_prompt,
      tools: tools ?? null,
      documents: documents ?? null,
      bos_token,
      eos_token,
      ...variables,
    };
    for (const [name, value] of Object.entries(globals)) environment.set(name, value);
    text = String(new Interpreter(environment).run(new Template(template).parsed).value);
  } catch (cause) {
    if (refusal !== undefined)
      fail("text/chat-refused", "the chat template refuses these messages", {
        got: refusal,
        cause,
      });
    fail("text/chat-template", "the chat template cannot be used", {
      got: (cause as Error).message,
      cause,
    });
  }
  return continue_final_message ? cutAfterLast(text, messages) : text;
}

/** Python's. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  return Array.from({ length: Number.isFinite(length) ? length : 0 }, (_, i) => start + i * step);
}

function cutAfterLast(text: string, messages: readonly ChatMessage[]): string {
  const content = messages.at(-1)!.content;
  check(typeof content === "string", "text/chat", "only a message of text can go on", {
    got: typeof content,
  });
  const whole = text.lastIndexOf(content);
  const bare = content.trim();
  const at = whole >= 0 ? whole : text.lastIndexOf(bare);
  check(at >= 0, "text/chat", "the template does not show the last message", { got: content });
  return text.slice(0, at + (whole >= 0 ? content.length : bare.length));
}

/**
 * The template by name (several: `default`, `tool_use`, …). A `chat_template.jinja` beside the
 * configuration wins over the key in it; hand its text in as `file`.
 */
export function chatTemplateOf(
  config: TokenizerConfig,
  { name = "default", file }: { name?: string; file?: string } = {},
): Pick<ChatOptions, "template" | "bos_token" | "eos_token"> {
  const named: unknown = config.chat_template;
  const list = Array.isArray(named) ? (named as { name?: string; template?: string }[]) : undefined;
  const found =
    name === "default" && file !== undefined
      ? file
      : list !== undefined
        ? list.find((one) => one?.name === name)?.template
        : name === "default"
          ? named
          : undefined;
  check(typeof found === "string", "text/chat-template", "this model has no such chat template", {
    where: "tokenizer_config.json",
    got: name,
    wanted: list?.map((one) => one?.name).join(", ") ?? "chat_template",
    hint: "a base model has none: write the prompt as plain text",
  });
  return {
    template: found,
    bos_token: nameOf(config.bos_token) ?? "",
    eos_token: nameOf(config.eos_token) ?? "",
  };
}

/** The directives that templates use; in local time, English names. */
function formatDate(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const named = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat("en-US", options).format(date);
  const parts = new Map<string, string>([
    ["d", two(date.getDate())],
    ["m", two(date.getMonth() + 1)],
    ["Y", String(date.getFullYear())],
    ["y", two(date.getFullYear() % 100)],
    ["H", two(date.getHours())],
    ["M", two(date.getMinutes())],
    ["S", two(date.getSeconds())],
    ["B", named({ month: "long" })],
    ["b", named({ month: "short" })],
    ["A", named({ weekday: "long" })],
    ["a", named({ weekday: "short" })],
    ["%", "%"],
  ]);
  return format.replace(/%(-?)([a-zA-Z%])/g, (whole, bare: string, key: string) => {
    const made = parts.get(key);
    if (made === undefined) return whole;
    return bare === "-" ? made.replace(/^0(?=\d)/, "") : made;
  });
}
