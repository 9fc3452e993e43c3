// What of a growing model is kept on disk, so that it can be continued with the same bits.
import { isDeepStrictEqual } from "node:util";
import { check, isError } from "../base/errors.ts";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { getText, putJson, putText, type Store } from "../storage/store.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Tensors = Record<string, Tensor<"float32">>;

/** Weights, Adam's moments, and how many steps made them. */
export interface Grown {
  readonly step: number;
  readonly weights: Tensors;
  readonly m: Tensors;
  readonly v: Tensors;
}

const pointer = "checkpoint.json";
const record = "growth.jsonl";

interface Pointer {
  step: number;
  file: string;
  recipe: unknown;
}

/** New data get a new name and the pointer switches last: whenever we are killed, one is whole. */
export async function saveGrown(store: Store, state: Grown, recipe: unknown): Promise<void> {
  const old = await readPointer(store);
  const file = `checkpoint-${state.step}.safetensors`;
  if (old?.file === file) return;
  const tensors: Record<string, Tensor> = {};
  for (const [kind, all] of Object.entries({ w: state.weights, m: state.m, v: state.v }))
    for (const [name, value] of Object.entries(all)) tensors[`${kind}:${name}`] = value;
  await writeSafetensors(store, file, tensors, { step: String(state.step) });
  await putJson(store, pointer, { step: state.step, file, recipe } satisfies Pointer);
  if (old !== undefined) await store.delete(old.file);
}

/** The last checkpoint, or nothing; refuses one that was made with another recipe. */
export async function loadGrown(store: Store, recipe: unknown): Promise<Grown | undefined> {
  const found = await readPointer(store);
  if (found === undefined) return undefined;
  const wanted = JSON.parse(JSON.stringify(recipe));
  check(
    isDeepStrictEqual(found.recipe, wanted),
    "grow/recipe",
    "the checkpoint here has another recipe",
    {
      where: store.name,
      got: found.recipe,
      wanted,
      hint: "use another folder, or the same settings",
    },
  );
  const { tensors } = await readSafetensors(store, found.file);
  const part = (kind: string): Tensors =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([key]) => key.startsWith(`${kind}:`))
        .map(([key, value]) => [key.slice(kind.length + 1), value as Tensor<"float32">]),
    );
  return { step: found.step, weights: part("w"), m: part("m"), v: part("v") };
}

export async function appendRecord(store: Store, line: object): Promise<void> {
  await store.append(record, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

/** Drops the lines of steps that will be done again, and a last line cut off by a kill. */
export async function trimRecord(store: Store, step: number): Promise<void> {
  if ((await store.size(record)) === undefined) return;
  const lines = (await getText(store, record)).split("\n").filter((line) => {
    try {
      return JSON.parse(line).step <= step;
    } catch {
      return false;
    }
  });
  await putText(store, record, lines.map((line) => `${line}\n`).join(""));
}

async function readPointer(store: Store): Promise<Pointer | undefined> {
  try {
    return JSON.parse(await getText(store, pointer)) as Pointer;
  } catch (error) {
    if (isError(error, "storage/missing")) return undefined;
    throw error;
  }
}
