// How strong is a value, as a terminal shows it: amber and blue where it has colours, shades where it has none.
const shades = [" ", "░", "▒", "▓", "█"];
const levels = 16;

// 16 steps from the page outwards, evenly spaced to the eye: amber pushes up, blue pushes down.
const ramps = {
  dark: {
    up: "1c120b 2d190b 401f0a 52260a 642f0a 763908 884303 994f03 a95d08 b96b0e c97914 d78923 e09b3b e9ad51 f2bf66 fbd17b",
    down: "0e1721 112035 15294a 1b325e 1f3e71 234986 26559a 2e64a9 3872b8 4181c6 4b90d5 5a9fdd 6caee4 7ebceb 91cbf2 a5d9f9",
  },
  light: {
    up: "fcf6e4 fcf0ce fde8b7 fcdfa3 fad590 f9ca7e f8be6b f7b35a f5a74d f29b42 ef8e37 ec822d e57726 dd6d1f d56218 cd5811",
    down: "eaf4fe d9ebff c9e1fd b9d7fa a9cdf7 9ac3f4 8cb8f0 7fadeb 71a3e6 6498e1 588ddb 4f82d0 4677c6 3d6cbc 3461b2 2c56a8",
  },
} as const;

export interface Ink {
  readonly colour: boolean;
  /** So many columns of a strength from −1 to 1; without colours a minus stands before what is negative. */
  cell(strength: number, width?: number): string;
  /** Text on a ground of that strength; the text alone where there are no colours. */
  wash(text: string, strength: number): string;
  bold(text: string): string;
  dim(text: string): string;
}

/** As wide as a terminal is, and no wider than a page. */
export interface Screen {
  readonly width: number;
  readonly ink: Ink;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function screenOf(
  { isTTY, columns }: { isTTY?: boolean; columns?: number },
  env: Environment = process.env,
): Screen {
  const colour = isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  return { width: Math.min(100, columns || 100), ink: colour ? colours(env) : plain };
}

export const plain: Ink = {
  colour: false,
  cell(strength, width = 2) {
    const shade = shades[Math.max(0, Math.ceil(sized(strength) * (shades.length - 1) - 0.15))]!;
    const negative = strength < 0 && shade !== " " && width > 1;
    return negative ? `-${shade.repeat(width - 1)}` : shade.repeat(width);
  },
  wash: (text) => text,
  bold: (text) => text,
  dim: (text) => text,
};

function colours({ COLORTERM, COLORFGBG }: Environment): Ink {
  const light = /;(7|15)$/.test(COLORFGBG ?? "");
  const { up, down } = ramps[light ? "light" : "dark"];
  const exact = COLORTERM === "truecolor" || COLORTERM === "24bit";
  const grounds = (ramp: string): string[] =>
    ramp.split(" ").map((hex) => {
      const rgb = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
      const near = rgb.map((x) => (x < 48 ? 0 : x < 115 ? 1 : Math.floor((x - 35) / 40)));
      const sixed = 16 + 36 * near[0]! + 6 * near[1]! + near[2]!;
      return exact ? `48;2;${rgb.join(";")}` : `48;5;${sixed}`;
    });
  const [above, below] = [grounds(up), grounds(down)];
  const styled = (code: string, text: string, end: string) =>
    `\u001b[${code}m${text}\u001b[${end}m`;
  const wash = (text: string, strength: number): string => {
    const level = Math.ceil(levels * sized(strength));
    if (level === 0) return text;
    const ground = (strength < 0 ? below : above)[level - 1]!;
    // The strongest steps are near white on dark pages: dark letters there.
    const letters = level > (light ? 13 : 9) ? (light ? "97" : "30") : "39";
    return styled(`${ground};${letters}`, text, "49;39");
  };
  return {
    colour: true,
    cell: (strength, width = 2) => wash(" ".repeat(width), strength),
    wash,
    bold: (text) => styled("1", text, "22"),
    dim: (text) => styled("2", text, "22"),
  };
}

function sized(strength: number): number {
  return Number.isFinite(strength) ? Math.min(1, Math.abs(strength)) : 0;
}
