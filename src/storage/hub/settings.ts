// Where does the Hugging Face cache lie, which hub is asked, and who asks? (the HF_* variables)
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

export interface HubOptions {
  /** Default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub. */
  cacheDir?: string;
  /** Default: HF_ENDPOINT, https://huggingface.co. */
  endpoint?: string;
  /** Default: HF_TOKEN, else the file HF_TOKEN_PATH or $HF_HOME/token. An empty one is none. */
  token?: string;
  /** Default: HF_HUB_OFFLINE. */
  offline?: boolean;
  env?: Readonly<Record<string, string | undefined>>;
}

export interface HubSettings {
  readonly cacheDir: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
}

/** As Python's `huggingface_hub` reads them, so that both share one cache and one login. */
export async function hubSettings(options: HubOptions = {}): Promise<HubSettings> {
  const { env = process.env } = options;
  const home =
    set(env.HF_HOME) ?? join(set(env.XDG_CACHE_HOME) ?? join(homedir(), ".cache"), "huggingface");
  const cache =
    options.cacheDir ??
    set(env.HF_HUB_CACHE) ??
    set(env.HUGGINGFACE_HUB_CACHE) ??
    join(home, "hub");
  const tokenFile = expand(set(env.HF_TOKEN_PATH) ?? join(home, "token"), env);
  const token =
    options.token ??
    set(env.HF_TOKEN) ??
    set(env.HUGGING_FACE_HUB_TOKEN) ??
    (await readFile(tokenFile, "utf8").catch(() => ""));
  return {
    cacheDir: expand(cache, env),
    endpoint: (options.endpoint ?? set(env.HF_ENDPOINT) ?? "https://huggingface.co").replace(
      /\/+$/,
      "",
    ),
    token: token.trim() === "" ? undefined : token.trim(),
    offline: options.offline ?? isTrue(set(env.HF_HUB_OFFLINE) ?? env.TRANSFORMERS_OFFLINE),
  };
}

function set(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

function isTrue(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes((value ?? "").toUpperCase());
}

/** `~`, `$NAME` and `${NAME}`; a variable that is not set stays as it is written. */
function expand(path: string, env: Readonly<Record<string, string | undefined>>): string {
  return path
    .replace(/^~(?=$|[\\/])/, () => homedir())
    .replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced: string | undefined, bare: string | undefined) =>
        env[braced ?? bare ?? ""] ?? whole,
    );
}
