import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ofRecipe } from "./identity.ts";

test("a growth is another one when its recipe says something else, and not when it is laid out otherwise", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recipe-"));
  const path = join(folder, "recipe.json");
  const recipe = JSON.parse(await readFile("organisms/field-1l/recipe.json", "utf8"));
  const hashed = async (json: unknown, space: number): Promise<string> => {
    await writeFile(path, JSON.stringify(json, null, space));
    return (await ofRecipe({ recipe: path })).recipe!;
  };
  const before = await hashed(recipe, 2);
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashed(recipe, 0)).toBe(before);
  expect(await hashed({ ...recipe, seed: 5 }, 2)).not.toBe(before);
  await expect(ofRecipe({ recipe: join(folder, "none.json") })).rejects.toMatchObject({
    code: "grow/recipe",
  });
  await rm(folder, { recursive: true });
});
