// One seed, many independent streams: all randomness of the library comes from here.

export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Standard normal. */
  normal(): number;
  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T;
  /** In-place Fisher–Yates; returns its argument. */
  shuffle<T extends { length: number; [i: number]: unknown }>(items: T): T;
  /** An independent stream, determined by this seed and the name only. */
  stream(name: string): Random;
  /** State for resuming: pass it to `resumeRandom`. */
  state(): RandomState;
}

export interface RandomState {
  seed: number;
  words: [number, number, number, number];
  /** The second half of a Box–Muller pair, if one is waiting. */
  spare: number | null;
}

/** sfc32, seeded through splitmix32; passes PractRand, and is the same on every machine. */
export function random(seed: number): Random {
  let s = seed >>> 0;
  const next = (): number => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const made = resumeRandom({ seed, words: [next(), next(), next(), 1], spare: null });
  for (let i = 0; i < 12; i++) made.uniform();
  return made;
}

/** Continues a stream exactly where `state()` was taken. */
export function resumeRandom(from: RandomState): Random {
  let [a, b, c, d] = from.words;
  let spare = from.spare;
  const word = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  const self: Random = {
    uniform: () => word() / 4294967296,
    int: (n) => Math.floor(self.uniform() * n),
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - self.uniform()));
      const angle = 2 * Math.PI * self.uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    pick: (items) => items[self.int(items.length)]!,
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = self.int(i + 1);
        const kept = items[i];
        items[i] = items[j];
        items[j] = kept;
      }
      return items;
    },
    stream: (name) => random((hash32(name) ^ Math.imul(from.seed, 0x9e3779b1)) >>> 0),
    state: () => ({ seed: from.seed, words: [a, b, c, d], spare }),
  };
  return self;
}

/** FNV-1a over UTF-16 units, then a finaliser. For seeds and buckets, not for content. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
