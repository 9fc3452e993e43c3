import { describe, expect, test } from "vitest";
import { openModel } from "./open.ts";
import { loadOrganism } from "./organisms.ts";
import { tokensOf } from "./tokens.ts";

describe("the tokens of a text", () => {
  test("are its tokenizer's, a row a text", async () => {
    const model = await loadOrganism("field-1l");
    const one = tokensOf(model, "the tenant shall pay");
    expect(Array.from(one.data)).toEqual(
      Array.from(model.tokenizer!.encode("the tenant shall pay")),
    );
    const two = tokensOf(model, ["the tenant", "the tenant"]);
    expect(two.shape).toEqual([2, one.data.indexOf(one.data.at(-2)!)]);
    expect(two.data.slice(0, two.shape[1])).toEqual(two.data.slice(two.shape[1]));
  });

  test("are refused where rows would differ in length, are empty, or nobody can read the text", async () => {
    const model = await loadOrganism("field-1l");
    expect(() => tokensOf(model, ["a", "the tenant shall pay"])).toThrow("differ in length");
    expect(() => tokensOf(model, "")).toThrow("nothing to read");
    const { tokenizer: _, ...mute } = model;
    expect(() => tokensOf(mute, "a")).toThrow("no tokenizer");
  });
});

test("a bundled model opens by its name, and what is nowhere is said to be missing", async () => {
  expect((await openModel("field-1l")).hash).toBe((await loadOrganism("field-1l")).hash);
  await expect(openModel("nobody/nothing")).rejects.toMatchObject({ code: "model/missing" });
  await expect(openModel("/no/such/folder")).rejects.toMatchObject({ code: "model/missing" });
});
