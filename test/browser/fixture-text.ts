// What does the fixture server show? Hand-written examples: context, strip source, peak, next token.
import type { Piece, Strip } from "../../src/api/types.ts";

export interface Sample {
  context: string;
  name: string | null;
  /** Inside ⟦⟧ tokens are active, separated by |; * marks the peak, _ a quiet one. */
  texts: string[];
  r: number;
  neuron: number;
  density: number;
  peak: number;
  next: string;
}

const s = (
  context: string,
  name: string | null,
  r: number,
  neuron: number,
  density: number,
  peak: number,
  next: string,
  ...texts: string[]
): Sample => ({ context, name, r, neuron, density, peak, next, texts });

export const samples: readonly Sample[] = [
  s(
    "base64-random",
    "base64 of random bytes",
    0.87,
    0.52,
    0.0066,
    9.91,
    "Zx",
    '"node_modules/lru": { "version": "7.18.3", "integrity": "sha512-⟦r8|Yf|QT|*zK|p3|m/|Lw|VX|aH|7g|Du|C0|sZ|En|W1|kQ|Oe⟧==", "engines": { "node"',
    "# do not share\n-----BEGIN PUBLIC KEY-----\n⟦MI|IB|Ij|AN|Bg|kq|hk|iG|9w|*Jz|Qx|RV|nd|Ku|3T|bY|e0|fP|tM|sq|Zo|Lc|8H|Wv⟧",
    "the box was sealed with nonce ⟦vW|9H|dJ|xR|7o|*Lz|bK|T+|mQ|4y|Gf|Us|E2|pN|iC⟧= and tag ⟦Oa|8V|tX|Jf⟧, both sent in",
    "GET /vault HTTP/1.1\nAuthorization: Basic ⟦dX|Nl|cj|*pK|wZ|8t|Rm|LQ|aY|2v⟧\n\nHTTP/1.1 200 OK\nContent-Type: text",
    'glob@^10.3.10:\n  version "10.4.1"\n  integrity sha1-⟦Bw|tQ|*mX|8f|Kc|Vn|0J|zR|ga⟧=\n  resolved "https://registry',
  ),
  s(
    "hexadecimal",
    "hexadecimal digests",
    0.9,
    0.58,
    0.0062,
    9.1,
    "e4",
    "sha256:⟦9f|e2|c|*04|7b|1d|83|a6|f0|5c|21⟧ is what the manifest says",
    "commit ⟦4|d3|*7a|be|01⟧ fixes the parser",
  ),
  s(
    "dna",
    "DNA, any strand",
    0.93,
    0.61,
    0.0041,
    8.8,
    "GCA",
    ">seq41⟦ACG|TT|*AGC|CAT|GG|TCA|AT|CG|TTA|GGC⟧",
    ">chr7 forward strand\n⟦TTA|GGC|*ATT|ACG|GAT|GCC|AAT⟧TGGCC",
  ),
  s(
    "hebrew",
    "Hebrew letters",
    0.83,
    0.71,
    0.013,
    8,
    "ים",
    "⟦שמ|*ים| כחו|לים| מעל| הי|ם| השק|ט⟧",
    "לפני שירד הערב ⟦הספ|*רן| סגר⟧ את המגירה והניח את המפתח",
  ),
  s(
    "arabic",
    "Arabic, inside a word",
    0.79,
    0.66,
    0.009,
    7.9,
    "م",
    "⟦في|* الم|ساء| هبت| ريح| با|ردة⟧ من",
    "⟦١٩|*٤٨|م⟧ في القاهرة",
  ),
  s(
    "chinese",
    "Chinese prose",
    0.81,
    0.57,
    0.0088,
    7.2,
    "日",
    "⟦河|水|*在|春|天|上|涨⟧,木桥",
    "1998年⟦*12⟧⟦月|31⟧⟦日⟧,气温",
  ),
  s(
    "base64-english",
    "base64 of English text",
    0.68,
    0.33,
    0.0048,
    7.4,
    "Vj",
    "key “⟦U2|Vj|*cm|V0⟧” was written on the lid of the box",
    "Content-Transfer-Encoding: base64\n\n⟦RG|Vh|ci|*BT|aX|Is|IG⟧",
  ),
  s(
    "base64-digits",
    "base64 of digits",
    0.79,
    0.41,
    0.0019,
    7.7,
    "Nz",
    "cookie ⟦MT|Iz|*ND|U2|Nz|g5⟧MA== from the desk",
  ),
  s(
    "contract",
    "section sign and its number",
    0.7,
    0.36,
    0.0028,
    6.7,
    " (",
    "pay the sum due under⟦ §|* 14|.2⟧ the Tenant shall",
    "the⟦ Tenant|* shall|_ not| assign⟧ or underlet the premises",
  ),
  s(
    "court-ruling",
    "the, before a party",
    0.41,
    0.19,
    0.0044,
    5.1,
    " plaint",
    "court finds that⟦* the⟧ plaintiff had no standing",
  ),
  s(
    "latex",
    "matrix index in LaTeX",
    0.71,
    0.53,
    0.0031,
    6.3,
    "}",
    "$\\⟦sum|*_{|i|=1|}^|n⟧ a_⟦i⟧ x^⟦i⟧$",
    "$a_{⟦1|*2⟧}x_{⟦2⟧} = b_{⟦1⟧}$",
  ),
  s(
    "code",
    "const, before a name",
    0.72,
    0.44,
    0.0061,
    6.6,
    " (",
    "export⟦ const|* load|= async⟧ (path) => {",
    "x[⟦*i⟧ + ⟦1⟧] = y[⟦i⟧ - ⟦2⟧]\n\treturn⟦\n|\t⟧x",
  ),
  s(
    "chess",
    "chess move, capture",
    0.78,
    0.42,
    0.0026,
    8.1,
    "+",
    "22. ⟦R|x|*e5⟧ d⟦xe5⟧ 23. ⟦Qx|e5⟧+ Kf8 24. Re1",
  ),
  s(
    "recipe",
    "number before a unit of length",
    0.8,
    0.33,
    0.0047,
    5.9,
    " cm",
    "roll it ⟦*12⟧⟦ mm⟧ thick, cut ⟦30⟧⟦ cm⟧ wide, and let it rest",
  ),
  s(
    "poem",
    "end of a line of verse",
    0.49,
    0.21,
    0.0022,
    4.2,
    "\n",
    "and all the reeds were bowed⟦,|*\n⟧and no one came",
  ),
  s(
    "uuid",
    "UUID, third group",
    0.82,
    0.37,
    0.0012,
    8.5,
    "4",
    "7c9e66-74⟦0d|-4|*0d|e⟧-944b-e07fc1f90ae7",
  ),
  s(
    "russian",
    "Russian, oblique cases",
    0.58,
    0.36,
    0.0077,
    6,
    "ы",
    "под ⟦мос|*том| тек|ла⟧ река, и над ней стоял туман",
  ),
  s(
    "log",
    "port number after a colon",
    0.76,
    0.28,
    0.0017,
    6.9,
    "/",
    "listening on 127.0.0.1⟦:|*1665⟧ pid 8812",
  ),
  s(
    "letter",
    "salutation",
    0.28,
    0.17,
    0.0011,
    3.1,
    " Sir",
    "⟦Dear|* Sir|,⟧ I have had yours of the second",
  ),
  s(
    "german",
    "German, second half of a verb",
    0.78,
    0.39,
    0.0101,
    6.2,
    " der",
    "Der Senat hat ⟦er|*kannt⟧, dass der Vertrag nichtig ist",
  ),
  s("hindi", "Devanagari digits", 0.6, 0.16, 0.0035, 5.9, " में", "सन ⟦१९|*४७⟧ में भारत स्वतंत्र हुआ"),
  s("thai", null, 0.35, 0.25, 0.0181, 4.6, "น", "ราคา ⟦๑๒|*๐⟧ บาท"),
  s(
    "json",
    "ISO date, month",
    0.73,
    0.35,
    0.0071,
    6,
    "-",
    '"at": "2026⟦-|*03⟧⟦-05⟧T09:14:00Z", "by": "hooke"',
  ),
  s(
    "phone-number",
    "digits of a telephone number",
    0.86,
    0.49,
    0.0021,
    7.6,
    " 0",
    "tel. +44⟦ 20|* 7946| 0958⟧ (day) or 0117",
  ),
];

const quiet = ["news", "dialogue"];
export const contexts: readonly string[] = [
  ...new Set([...samples.map((x) => x.context), ...quiet]),
];

export function rng(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Something like what a small byte-level BPE does; characters outside the BMP become byte tokens. */
export function toPieces(text: string): Piece[] {
  const out: Piece[] = [];
  const words =
    text.match(
      /[\u{10000}-\u{10ffff}]|\n|\t|(?=[a-zA-Z0-9]*\d)(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{6,}| ?[\p{L}\p{M}']+| ?\d{1,3}| ?[^\s\p{L}\p{M}\d]{1,2}|\s|[\s\S]/gu,
    ) ?? [];
  for (const w of words) {
    if (/^[A-Za-z0-9]{6,}$/.test(w) && /\d/.test(w) && /[A-Z]/.test(w)) {
      for (const text of w.match(/..?/g) ?? []) out.push({ text });
      continue;
    }
    if (w.codePointAt(0)! > 0xffff) {
      const bytes = [...new TextEncoder().encode(w)].map((b) =>
        b.toString(16).toUpperCase().padStart(2, "0"),
      );
      out.push(
        { text: "", hex: bytes.slice(0, 2).join("") },
        { text: "", hex: bytes[2]! },
        { text: "", hex: bytes[3]! },
      );
    } else if (/^[a-z]/i.test(w.trimStart()) && w.trimStart().length > 8)
      out.push({ text: w.slice(0, -4) }, { text: w.slice(-4) });
    else if (/[\u0590-\u06ff]/.test(w) && w.trimStart().length > 4)
      out.push({ text: w.slice(0, 3) }, { text: w.slice(3) });
    else out.push({ text: w });
  }
  return out;
}

export function toStrip(source: string, value: number, seed: number, context: string): Strip {
  const r = rng(seed);
  const pieces: Piece[] = [];
  const acts: number[] = [];
  let peak = 0;
  for (const part of source.split(/(⟦.*?⟧)/s)) {
    if (!part.startsWith("⟦")) {
      for (const piece of toPieces(part)) {
        pieces.push(piece);
        acts.push(0);
      }
      continue;
    }
    for (const raw of part.slice(1, -1).split("|")) {
      const at = raw.startsWith("*");
      const silent = raw.startsWith("_");
      if (at) peak = pieces.length;
      const text = at || silent ? raw.slice(1) : raw;
      const bytes = text.codePointAt(0)! > 0xffff ? toPieces(text) : [{ text }];
      pieces.push(...bytes);
      const share = Math.min(0.97, Math.max(0.06, 0.45 + 0.55 * (r() * 1.3 - 0.35)));
      acts.push(at ? value : silent ? 0 : Number((value * share).toFixed(3)));
      for (let i = 1; i < bytes.length; i++) acts.push(Number((value * 0.6 ** i).toFixed(3)));
    }
  }
  const rtl = /^[^A-Za-z]*[\u0590-\u06ff]/.test(source);
  return {
    pieces,
    acts,
    peak,
    value,
    dir: rtl ? "rtl" : "ltr",
    context,
    document: `${context}/${String(seed % 97).padStart(3, "0")}`,
  };
}

/** Strings that a page must not obey. */
export const hostile = [
  "salt ⟦*\u{1f9c2}⟧ in water",
  "admin⟦\u202e|*gnp.⟧exe",
  "⟦<script>|alert|*(1)|</script>⟧",
];
