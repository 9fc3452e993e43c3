// How does a picture for the README become small? Its 256 commonest colours, and zlib at its best.
import { crc32, deflateSync, inflateSync } from "node:zlib";

interface Image {
  width: number;
  height: number;
  /** 0xRRGGBB of every pixel, row by row. */
  pixels: Uint32Array;
}

/** Reads what Chromium writes: 8 bits a channel, RGB or RGBA, not interlaced (PNG 1.2, 6 and 9). */
function decode(png: Buffer): Image {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const channels = png[25] === 6 ? 4 : 3;
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const raw = inflateSync(Buffer.concat(parts));
  const row = width * channels;
  const out = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)]!;
    for (let x = 0; x < row; x++) {
      const here = y * row + x;
      const left = x >= channels ? out[here - channels]! : 0;
      const up = y > 0 ? out[here - row]! : 0;
      const corner = x >= channels && y > 0 ? out[here - row - channels]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      out[here] = raw[y * (row + 1) + 1 + x]! + guess;
    }
  }
  const pixels = Uint32Array.from({ length: width * height }, (_, i) => {
    const at = i * channels;
    return (out[at]! << 16) | (out[at + 1]! << 8) | out[at + 2]!;
  });
  return { width, height, pixels };
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [
    Math.abs(up - corner),
    Math.abs(left - corner),
    Math.abs(left + up - 2 * corner),
  ];
  return a! <= b! && a! <= c! ? left : b! <= c! ? up : corner;
}

function distance(a: number, b: number): number {
  const [r, g, v] = [
    (a >> 16) - (b >> 16),
    ((a >> 8) & 255) - ((b >> 8) & 255),
    (a & 255) - (b & 255),
  ];
  return 2 * r! * r! + 4 * g! * g! + v! * v!;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

export function palettePng(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const counts = new Map<number, number>();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const palette = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 256)
    .map(([colour]) => colour);
  const place = new Map(palette.map((colour, i) => [colour, i]));
  for (const colour of counts.keys()) {
    if (place.has(colour)) continue;
    let best = 0;
    for (let i = 1; i < palette.length; i++)
      if (distance(colour, palette[i]!) < distance(colour, palette[best]!)) best = i;
    place.set(colour, best);
  }
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      rows[y * (width + 1) + 1 + x] = place.get(pixels[y * width + x]!)!;
  const head = Buffer.from(png.subarray(16, 29));
  head[9] = 3;
  return Buffer.concat([
    png.subarray(0, 8),
    chunk("IHDR", head),
    chunk("PLTE", Buffer.from(palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]))),
    chunk("IDAT", deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
