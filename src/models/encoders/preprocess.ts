// What has to be done to an image before an encoder reads it: data from preprocessor_config.json.
import { check, fail } from "../../base/errors.ts";
import { parseJson } from "../../base/json.ts";
import { getText, type Store } from "../../storage/store.ts";

export interface Sides {
  readonly height: number;
  readonly width: number;
}

export interface ShortestEdge {
  readonly shortest_edge: number;
}

/** In this order; what is left out is not done. Nothing here touches an image. */
export interface Preprocess {
  /** To height and width, or so that the shorter side has this length. */
  readonly resize?: Sides | ShortestEdge;
  /** As Pillow numbers it: 0 nearest, 2 bilinear, 3 bicubic. */
  readonly resample?: number;
  /** The middle that is kept. */
  readonly crop?: Sides;
  /** Pixels, 0 to 255, are multiplied by it. */
  readonly rescale?: number;
  /** Of each channel, red first: mean is subtracted, then it is divided by std. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

/** Undefined where the folder has no preprocessor_config.json. */
export async function readPreprocess(store: Store, prefix = ""): Promise<Preprocess | undefined> {
  const key = `${prefix}preprocessor_config.json`;
  if ((await store.size(key)) === undefined) return undefined;
  const where = `${store.name}/${key}`;
  let json: Record<string, unknown>;
  try {
    json = parseJson(await getText(store, key)) as Record<string, unknown>;
  } catch (cause) {
    return fail("model/config", "it cannot be read", { where, cause });
  }
  check(typeof json === "object" && json !== null, "model/config", "no settings", { where });
  const does = (name: string) => json[name] !== false && json[name] !== undefined;
  const list = (name: string): readonly number[] => {
    const got = json[name];
    const holds = Array.isArray(got) && got.every((x) => Number.isFinite(x));
    check(holds, "model/config", `${name} is not a list of numbers`, { where, got });
    return got as number[];
  };
  const sides = (name: string): Sides | ShortestEdge => {
    const got = json[name];
    if (Number.isFinite(got)) return { height: got as number, width: got as number };
    const { height, width, shortest_edge } = (got ?? {}) as Record<string, number>;
    if (Number.isFinite(height) && Number.isFinite(width))
      return { height: height!, width: width! };
    check(Number.isFinite(shortest_edge), "model/config", `${name} is not a size`, { where, got });
    return { shortest_edge: shortest_edge! };
  };
  const shortest = (name: string): Sides | ShortestEdge => {
    // A single number is the shorter side where a square is cut out afterwards, as CLIP has it.
    const whole = Number.isFinite(json[name]) && does("do_center_crop");
    return whole ? { shortest_edge: json[name] as number } : sides(name);
  };
  const square = (name: string): Sides => {
    const got = sides(name);
    if ("height" in got) return got;
    return { height: got.shortest_edge, width: got.shortest_edge };
  };
  return {
    ...(does("do_resize") ? { resize: shortest("size") } : {}),
    ...(does("do_resize") && Number.isFinite(json.resample)
      ? { resample: json.resample as number }
      : {}),
    ...(does("do_center_crop") ? { crop: square("crop_size") } : {}),
    ...(json.do_rescale === false ? {} : { rescale: Number(json.rescale_factor ?? 1 / 255) }),
    ...(does("do_normalize") ? { mean: list("image_mean"), std: list("image_std") } : {}),
  };
}
