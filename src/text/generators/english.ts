// Where does English come from when there is never enough of it: real texts, and a small grammar.
import type { Random } from "../../base/random.ts";
import type { Document, Split } from "../document.ts";

const englishContexts = new Set(["prose", "news", "letter", "recipe", "abstract", "contract"]);

/** A function that gives 250 to 520 characters of English; half are cut from texts of the split. */
export function englishSource(texts: readonly Document[]): (split: Split, rng: Random) => string {
  const bySplit = new Map<Split, string[]>();
  for (const { context, split, text } of texts) {
    if (!englishContexts.has(context)) continue;
    bySplit.set(split, [...(bySplit.get(split) ?? []), text.replace(/\s+/g, " ")]);
  }
  return (split, rng) => {
    const length = 250 + rng.int(271);
    const real = bySplit.get(split);
    const useReal = rng.uniform() < 0.5;
    if (real === undefined || !useReal) return grammar(rng, length);
    let text = rng.pick(real);
    text = text.slice(rng.int(Math.max(1, text.length - length)));
    while (text.length < length) text += ` ${rng.pick(real)}`;
    return text.slice(0, length);
  };
}

const nouns =
  words(`house garden river window letter teacher morning winter market bridge engine story
  machine doctor village kitchen paper question answer number picture season farmer captain mountain
  island harbour station meeting company forest lamp blanket mirror basket ladder kettle bicycle train
  neighbour sister brother cousin visitor stranger painter baker sailor student author artist child
  dog cat horse bird fish stone tree road field cloud storm night summer evening week year hour moment
  plan rule law price office school church museum theatre library hospital factory castle tower wall
  door key table chair bed cup plate knife book map clock coin ring coat shoe hat bag box rope`);
const adjectives =
  words(`old new small large quiet loud heavy light bright dark cold warm early late
  empty full narrow wide broken careful strange familiar simple difficult honest patient tired happy
  distant nearby ancient modern wooden golden silver green yellow grey white black soft hard deep`);
const verbs = words(`saw found kept left brought carried opened closed painted repaired followed
  remembered forgot watched heard wanted needed built sold bought moved counted measured described
  visited answered believed noticed promised finished started helped asked showed`);
const places = words(`near behind under above beside inside outside across beyond against`);
const names = words(`Anna Peter Maria John Clara Thomas Helen David Ruth Samuel Nora Martin Alice
  Oscar Julia Henry Irene Victor Laura Simon`);
const joins = ["and", "but", "because", "while", "although", "so", "when", "before", "after"];
const openings = words(
  `Yesterday Later Meanwhile Sometimes Perhaps Finally Suddenly Today However`,
);

function words(list: string): string[] {
  return list.split(/\s+/).filter(Boolean);
}

function nounPhrase(rng: Random): string {
  if (rng.uniform() < 0.15) return rng.pick(names);
  const determiner = rng.pick([
    "the",
    "the",
    "the",
    "a",
    "his",
    "her",
    "their",
    "our",
    "this",
    "every",
  ]);
  const adjective = rng.uniform() < 0.4 ? `${rng.pick(adjectives)} ` : "";
  const noun = `${adjective}${rng.pick(nouns)}`;
  return `${determiner === "a" && /^[aeiou]/.test(noun) ? "an" : determiner} ${noun}`;
}

function clause(rng: Random): string {
  const place = rng.uniform() < 0.4 ? ` ${rng.pick(places)} ${nounPhrase(rng)}` : "";
  return `${nounPhrase(rng)} ${rng.pick(verbs)} ${nounPhrase(rng)}${place}`;
}

function sentence(rng: Random): string {
  let text = clause(rng);
  if (rng.uniform() < 0.4)
    text += `${rng.uniform() < 0.4 ? "," : ""} ${rng.pick(joins)} ${clause(rng)}`;
  if (rng.uniform() < 0.2) text = `${rng.pick(openings)}, ${text}`;
  if (rng.uniform() < 0.1) text += ` in ${1900 + rng.int(125)}`;
  return `${text[0]!.toUpperCase()}${text.slice(1)}${rng.uniform() < 0.92 ? "." : "?"}`;
}

export function grammar(rng: Random, length: number): string {
  let text = sentence(rng);
  while (text.length < length) text += ` ${sentence(rng)}`;
  return text.slice(0, length);
}
