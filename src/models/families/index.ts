// Which families of checkpoints there are.
import { check, fail } from "../../base/errors.ts";
import { bert } from "./bert.ts";
import { clipImage, clipText, type Tower } from "./clip.ts";
import { gptOss, mixtral, qwen3Moe } from "./experts.ts";
import type { Family } from "./family.ts";
import { gemma, gemma2, gemma3 } from "./gemma.ts";
import { gptNeo } from "./gpt-neo.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { gptj } from "./gptj.ts";
import { granite } from "./granite.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { opt } from "./opt.ts";
import { phi, phi3 } from "./phi.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { smollm3 } from "./smollm3.ts";
import { stablelm } from "./stablelm.ts";
import { vit } from "./vit.ts";

export const families: readonly Family[] = [
  ...[gpt2, gptNeo, gptj, gptNeox, opt],
  ...[llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3],
  ...[phi, phi3, olmo2, smollm3, stablelm, granite],
  ...[mixtral, qwen3Moe, gptOss],
  ...[bert, vit, clipText, clipImage],
];

/** The family of a config.json, by its `model_type`; of CLIP, that of one tower. */
export function familyOf(
  json: Readonly<Record<string, unknown>>,
  where: string,
  tower?: Tower,
): Family {
  const type = json.model_type;
  if (type === "clip") {
    check(
      tower !== undefined,
      "model/tower",
      "this checkpoint has two towers, which are opened one at a time",
      { where, wanted: "tower: text or image" },
    );
    return tower === "text" ? clipText : clipImage;
  }
  const found = families.find(({ types }) => types.includes(type as string));
  if (found !== undefined) return found;
  return fail("model/family", "this family of models is not one we compute", {
    where,
    got: type,
    wanted: families.flatMap(({ types }) => types).join(", "),
  });
}
