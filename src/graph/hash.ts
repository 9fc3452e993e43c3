// Whether two byte strings are the same: 128 bits, quick, the same on every machine; no secret kept.

/** MurmurHash3 x86 128 (Appleby, public domain), as 32 hexadecimal digits. */
export function hashBytes(bytes: Uint8Array, seed = 0): string {
  const multipliers = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];
  const h = new Int32Array(4).fill(seed);
  const turns = [19, 17, 15, 13];
  const added = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 16);
  const mix = (lane: number, word: number): number =>
    Math.imul(turn(Math.imul(word, multipliers[lane]!), 15 + lane), multipliers[(lane + 1) % 4]!);
  for (let at = 0; at < whole; at += 16)
    for (let lane = 0; lane < 4; lane++) {
      h[lane]! ^= mix(lane, view.getInt32(at + 4 * lane, true));
      h[lane] = (turn(h[lane]!, turns[lane]!) + h[(lane + 1) % 4]!) | 0;
      h[lane] = (Math.imul(h[lane]!, 5) + added[lane]!) | 0;
    }
  for (let lane = 0; lane < 4; lane++) {
    let word = 0;
    for (let i = 3; i >= 0; i--) word = (word << 8) | (bytes[whole + 4 * lane + i] ?? 0);
    h[lane]! ^= mix(lane, word);
    h[lane]! ^= bytes.length;
  }
  spread(h);
  for (let lane = 0; lane < 4; lane++) h[lane] = finish(h[lane]!);
  spread(h);
  return Array.from(h, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function spread(h: Int32Array): void {
  h[0] = (h[0]! + h[1]! + h[2]! + h[3]!) | 0;
  for (let lane = 1; lane < 4; lane++) h[lane] = (h[lane]! + h[0]!) | 0;
}

function turn(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function finish(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
