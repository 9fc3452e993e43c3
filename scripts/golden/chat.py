"""What transformers makes of the chat templates in src/text/chat.test.ts: prints the wanted texts."""
import re
import pathlib

from transformers.utils.chat_template_utils import render_jinja_template

source = (pathlib.Path(__file__).parents[2] / "src/text/chat.test.ts").read_text()
MESSAGES = [{"role": "user", "content": " Hello "}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Who?"}]

if __name__ == "__main__":
    for name, options in [("chatml", {"add_generation_prompt": True}), ("mistral", {})]:
        text = re.search(rf'const {name} =\s*"(.*)";', source).group(1).replace("\\\\", "\\")
        prompts, _ = render_jinja_template([MESSAGES], chat_template=text, bos_token="<s>", eos_token="</s>", **options)
        print(repr(prompts[0]))
