// What does a PNG show? 8-bit grey, RGB and RGBA without interlacing: what the test photos are.
import { inflateSync } from "node:zlib";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Row by row, three a pixel, 0 to 255. */
  readonly rgb: Uint8Array;
}

const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 6: 4 };

export function readPng(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x89504e47) throw new Error("this is no PNG");
  const data: Uint8Array[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      const [depth, color, , , interlaced] = body.subarray(8);
      channels = channelsOf[color!] ?? 0;
      if (depth !== 8 || channels === 0 || interlaced !== 0)
        throw new Error("this kind is not read");
    } else if (type === "IDAT") data.push(body);
    at += length + 12;
  }
  const plain = unfilter(inflateSync(Buffer.concat(data)), {
    height,
    row: width * channels,
    channels,
  });
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = plain[i * channels + (channels === 1 ? 0 : c)]!;
  return { width, height, rgb };
}

/** Each row says how it was predicted: from the left, from above, their mean, or Paeth's choice. */
function unfilter(
  bytes: Uint8Array,
  { height, row, channels }: { height: number; row: number; channels: number },
): Uint8Array {
  const out = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    const filter = bytes[y * (row + 1)]!;
    for (let i = 0; i < row; i++) {
      const at = y * row + i;
      const left = i >= channels ? out[at - channels]! : 0;
      const above = y > 0 ? out[at - row]! : 0;
      const corner = y > 0 && i >= channels ? out[at - row - channels]! : 0;
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter]!;
      out[at] = bytes[y * (row + 1) + 1 + i]! + guess;
    }
  }
  return out;
}

function paeth(left: number, above: number, corner: number): number {
  const p = left + above - corner;
  const [a, b, c] = [Math.abs(p - left), Math.abs(p - above), Math.abs(p - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

/** The largest square in the middle, drawn at another size by bilinear weights; [1, 3, size, size] of 0 to 1. */
export function centreSquare({ width, height, rgb }: Picture, size: number): Float32Array {
  const side = Math.min(width, height);
  const [x0, y0] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const out = new Float32Array(3 * size * size);
  const place = (i: number) => {
    // Centres of pixels lie on centres of pixels.
    const at = Math.min(side - 1, Math.max(0, ((i + 0.5) * side) / size - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(side - 1, low + 1), part: at - low };
  };
  const places = Array.from({ length: size }, (_, i) => place(i));
  for (const [y, v] of places.entries())
    for (const [x, h] of places.entries())
      for (let c = 0; c < 3; c++) {
        const at = (row: number, column: number) =>
          rgb[3 * ((y0 + row) * width + x0 + column) + c]! / 255;
        const top = at(v.low, h.low) * (1 - h.part) + at(v.low, h.high) * h.part;
        const under = at(v.high, h.low) * (1 - h.part) + at(v.high, h.high) * h.part;
        out[(c * size + y) * size + x] = top * (1 - v.part) + under * v.part;
      }
  return out;
}
