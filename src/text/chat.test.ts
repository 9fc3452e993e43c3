import { describe, expect, test } from "vitest";
import { chatPrompt, chatTemplateOf } from "./chat.ts";

// The texts are what transformers 5.23 gives for the same template: scripts/golden/chat.py.
const chatml =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const mistral =
  "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}";
const messages = [
  { role: "user", content: " Hello " },
  { role: "assistant", content: "Hi" },
  { role: "user", content: "Who?" },
];

test("a template is rendered as transformers renders it", () => {
  expect(chatPrompt(messages, { template: chatml, add_generation_prompt: true })).toBe(
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
  );
  const marks = { bos_token: "<s>", eos_token: "</s>" };
  expect(chatPrompt(messages, { template: mistral, ...marks })).toBe(
    "<s>[INST]  Hello  [/INST]Hi</s>[INST] Who? [/INST]",
  );
});

test("the last message can go on", () => {
  const options = { template: chatml, continue_final_message: true };
  expect(chatPrompt(messages.slice(0, 2), options)).toBe(
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi",
  );
});

test("a date is told by the clock that is handed in", () => {
  const template = "{{ strftime_now('%d %b %Y, %-d %B') }}{{ thinking }}";
  const now = new Date(2026, 2, 4);
  expect(chatPrompt(messages, { template, now, variables: { thinking: "!" } })).toBe(
    "04 Mar 2026, 4 March!",
  );
});

test("the template comes from the configuration, or a file beside it", () => {
  const config = { chat_template: chatml, bos_token: { content: "<s>" }, eos_token: "</s>" };
  expect(chatTemplateOf(config)).toEqual({ template: chatml, bos_token: "<s>", eos_token: "</s>" });
  expect(chatTemplateOf({}, { file: "x" }).template).toBe("x");
  const several = { chat_template: [{ name: "tool_use", template: "t" }] };
  expect(chatTemplateOf(several, { name: "tool_use" }).template).toBe("t");
  expect(() => chatTemplateOf(several)).toThrow(/no such chat template/);
  expect(() => chatTemplateOf({})).toThrow(/no such chat template/);
});

describe("errors have a code", () => {
  test.each([
    ["text/chat-template", "{% for %}", messages],
    ["text/chat-template", "{{ messages | nothing }}", messages],
    ["text/chat-refused", mistral, messages.slice(1)],
    ["text/chat", chatml, []],
    ["text/chat", chatml, [{ content: "x" } as never]],
  ])("%s for %s", (code, template, list) => {
    expect(() => chatPrompt(list, { template })).toThrow(expect.objectContaining({ code }));
  });
});
