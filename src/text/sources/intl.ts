// Which words of a hundred languages does Node itself know? Names, dates, numbers, units, as text.
import { type Random, random } from "../../base/random.ts";
import type { Document } from "../document.ts";
import { type Shares, splitOf } from "./files.ts";
import { pieces } from "./pieces.ts";

const locales =
  `af am ar as az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu ha he hi hr hu hy id ig
  is it ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn or pa pl ps pt ro ru sd si sk sl so sq sr sv
  sw ta te th ti tk tr uk ur uz vi yo zh zh-TW zu pt-PT es-MX fr-CA ar-EG sr-Latn uz-Cyrl en-IN de-CH br ceb
  chr dsb fo fy gd hsb ia jv kok ku lb mi mt qu rm sa sc su tt ug wo xh yi yue`
    .split(/\s+/)
    .filter(Boolean);

const scriptCodes =
  `Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hans Hant Hebr Jpan Khmr Knda Kore Laoo Latn
  Mlym Mymr Orya Sinh Taml Telu Thai Tibt Brai Cher Copt Goth Mong Runr Syrc Thaa`
    .split(/\s+/)
    .filter(Boolean);

const relativeUnits = [
  "second",
  "minute",
  "hour",
  "day",
  "week",
  "month",
  "quarter",
  "year",
] as const;

export interface IntlOptions {
  locales?: readonly string[];
  shares?: Shares;
  /** Documents of each theme and locale at most. */
  limit?: number;
}

/**
 * Documents of 500 to 1,000 characters of one locale and one theme each; the context is `intl-` and
 * the language. The same for one version of Node and its ICU.
 */
export function intlDocuments({
  locales: wanted = locales,
  shares = { grow: 0.5, dictionary: 0.5 },
  limit = 3,
}: IntlOptions = {}): Document[] {
  const documents: Document[] = [];
  for (const locale of Intl.DateTimeFormat.supportedLocalesOf([...wanted])) {
    const language = new Intl.Locale(locale).language;
    for (const [theme, write] of Object.entries(themes)) {
      const id = `intl/${locale}/${theme}`;
      const text = write(locale, random(1665).stream(id));
      let n = 0;
      for (const piece of pieces(text, { min: 500, max: 1000 })) {
        if (n >= limit || piece.length < 200) break;
        documents.push({
          id: `${id}#${n++}`,
          text: piece,
          context: `intl-${language}`,
          source: "machine",
          split: splitOf(piece, shares),
        });
      }
    }
  }
  return documents;
}

/** A locale and a random stream → text of one theme; longer than is used. */
const themes: Readonly<Record<string, (locale: string, rng: Random) => string>> = {
  languages: (locale, rng) => names(locale, "language", languageCodes(), rng),
  regions: (locale, rng) => names(locale, "region", regionCodes(), rng),
  currencies: (locale, rng) => names(locale, "currency", Intl.supportedValuesOf("currency"), rng),
  scripts: (locale, rng) => names(locale, "script", scriptCodes, rng),
  dates,
  calendar,
  relative,
  amounts,
  units,
};

const pairs = (): string[] => {
  const all = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  return all.flatMap((a) => all.map((b) => a + b));
};
let languagesKnown: string[] | undefined;
let regionsKnown: string[] | undefined;

/** The codes that ICU has an English name for. */
function known(type: "language" | "region", codes: string[]): string[] {
  const english = new Intl.DisplayNames("en", { type, fallback: "none" });
  return codes.filter((code) => english.of(code) !== undefined);
}
function languageCodes(): string[] {
  languagesKnown ??= known(
    "language",
    pairs().map((code) => code.toLowerCase()),
  );
  return languagesKnown;
}
function regionCodes(): string[] {
  regionsKnown ??= known("region", pairs());
  return regionsKnown;
}

/** Names in random order, in lists of four to twelve. */
function names(
  locale: string,
  type: Intl.DisplayNamesType,
  codes: readonly string[],
  rng: Random,
): string {
  const display = new Intl.DisplayNames(locale, { type, fallback: "none" });
  const found = codes.map((code) => display.of(code)).filter((name) => name !== undefined);
  return lists(locale, rng.shuffle(found), rng);
}

function lists(locale: string, items: readonly string[], rng: Random): string {
  const and = new Intl.ListFormat(locale, { type: "conjunction" });
  const or = new Intl.ListFormat(locale, { type: "disjunction" });
  const lines: string[] = [];
  for (let at = 0; at < items.length; ) {
    const size = 4 + rng.int(9);
    lines.push((rng.int(4) === 0 ? or : and).format(items.slice(at, at + size)));
    at += size;
  }
  return lines.join("\n");
}

const moment = (rng: Random): Date =>
  new Date(Date.UTC(1900 + rng.int(140), rng.int(12), 1 + rng.int(28), rng.int(24), rng.int(60)));

function lines(count: number, line: () => string): string {
  return Array.from({ length: count }, line).join("\n");
}

function dates(locale: string, rng: Random): string {
  const styles = (["full", "long", "medium", "short"] as const).map(
    (dateStyle) => new Intl.DateTimeFormat(locale, { dateStyle, timeZone: "UTC" }),
  );
  const times = (["medium", "short"] as const).map(
    (timeStyle) =>
      new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle, timeZone: "UTC" }),
  );
  return lines(90, () => {
    if (rng.int(5) > 0)
      return rng
        .pick(rng.int(3) > 0 ? [styles[0]!, times[0]!] : [...styles, ...times])
        .format(moment(rng));
    const [from, to] = [moment(rng), moment(rng)].sort((a, b) => a.getTime() - b.getTime());
    return styles[1]!.formatRange(from!, to!);
  });
}

/** Months, days of the week and times of the day, in running lists. */
function calendar(locale: string, rng: Random): string {
  const months = new Intl.DateTimeFormat(locale, { month: "long", timeZone: "UTC" });
  const monthYear = new Intl.DateTimeFormat(locale, {
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
  const days = new Intl.DateTimeFormat(locale, { weekday: "long", timeZone: "UTC" });
  const hours = new Intl.DateTimeFormat(locale, {
    weekday: "long",
    hour: "numeric",
    dayPeriod: "long",
    timeZone: "UTC",
  });
  const items = Array.from({ length: 120 }, () =>
    rng.pick([months, monthYear, days, hours]).format(moment(rng)),
  );
  return lists(locale, items, rng);
}

function relative(locale: string, rng: Random): string {
  const auto = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const always = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  const items = Array.from({ length: 150 }, () => {
    const amount = rng.int(3) === 0 ? rng.int(3) - 1 : rng.int(60) - 30;
    return rng.pick([auto, always]).format(amount, rng.pick(relativeUnits));
  });
  return lists(locale, items, rng);
}

function amounts(locale: string, rng: Random): string {
  const currencies = Intl.supportedValuesOf("currency");
  const formats: (() => string)[] = [
    () => new Intl.NumberFormat(locale).format(rng.int(1e9) / 100),
    () =>
      new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(
        rng.uniform(),
      ),
    () =>
      new Intl.NumberFormat(locale, { notation: "compact", compactDisplay: "long" }).format(
        10 ** rng.int(12) * (1 + rng.int(99)),
      ),
    () => {
      const currency = rng.pick(currencies);
      const options = {
        style: "currency",
        currency,
        currencyDisplay: rng.pick(["name", "name", "symbol"] as const),
      } as const;
      return new Intl.NumberFormat(locale, options).format(rng.int(1e6) / 100);
    },
  ];
  return lines(90, () => rng.pick([...formats, formats[3]!, formats[3]!])());
}

function units(locale: string, rng: Random): string {
  const all = Intl.supportedValuesOf("unit");
  const items = Array.from({ length: 120 }, () => {
    const unit = rng.pick(all);
    const options = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 } as const;
    return new Intl.NumberFormat(locale, options).format(
      rng.int(3) === 0 ? rng.int(4) : rng.int(2000) / 10,
    );
  });
  return lists(locale, items, rng);
}
