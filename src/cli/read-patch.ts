// run --corrupt: which places carry the answer, when one at a time is taken from another prompt?
import { z } from "zod";
import { check } from "../base/errors.ts";
import { type Direction, patchingSweep, pathPatching, type SweepCell } from "../circuits/index.ts";
import { matchSites } from "../hooks/index.ts";
import { findSite } from "../models/index.ts";
import { hundredths, signed } from "./format.ts";
import type { Screen } from "./ink.ts";
import { aligned, clipped, columnsOf, sideBySide, tokenLabel } from "./picture.ts";
import { askedAnswers, askedDifference } from "./read-answers.ts";
import {
  type FigureRecord,
  FigureSchema,
  mark,
  promptFor,
  type Reading,
  readPrompt,
  recordOf,
  type Session,
  shownLayers,
  TokenSchema,
  thinned,
} from "./read-session.ts";

const CellSchema = z.strictObject({
  layer: z.int(),
  position: z.int().optional(),
  head: z.int().optional(),
  /** 0: as the prompt that runs; 1: as the one that the value comes from. Beside unrelated prompts. */
  effect: FigureSchema,
});
const SweepSchema = z.strictObject({
  /** A short name, or `paths`: heads' writes, straight to the logits. */
  site: z.string(),
  direction: z.enum(["noising", "denoising"]),
  cells: z.array(CellSchema),
});
export const PatchReportSchema = z.strictObject({
  clean: z.array(TokenSchema),
  corrupted: z.array(TokenSchema),
  right: TokenSchema,
  wrong: TokenSchema,
  /** logit(right) − logit(wrong) of either prompt, as it is. */
  differences: z.strictObject({ clean: z.number(), corrupted: z.number() }),
  sweeps: z.array(SweepSchema),
});
export type PatchReport = z.infer<typeof PatchReportSchema>;
type Sweep = z.infer<typeof SweepSchema>;
type Cell = z.infer<typeof CellSchema>;

const directions: readonly Direction[] = ["noising", "denoising"];
const mostRows = 40;
const strongest = 5;

export const patchReading: Reading<PatchReport> = {
  name: "patching",
  asked: ({ corrupt }) => corrupt !== undefined,
  async read(session) {
    const { model, backend, options, context } = session;
    const clean = promptFor(session, "--corrupt");
    const corrupted = readPrompt(model, options.corrupt!);
    check(
      corrupted.ids.length === clean.ids.length,
      "text/length",
      "the prompts differ in length",
      {
        where: "--corrupt",
        got: `${corrupted.ids.length}: ${corrupted.labels.join(" ")}`,
        wanted: `${clean.ids.length}: ${clean.labels.join(" ")}`,
      },
    );
    const { right, wrong } = await askedAnswers(session, clean, corrupted);
    const pairs = {
      clean: clean.tokens,
      corrupted: corrupted.tokens,
      right: [right.id],
      wrong: [wrong.id],
    };
    const layers = shownLayers(session);
    const control = { seed: options.seed, draws: 4 };
    const sweeps: Sweep[] = [];
    let differences = { clean: 0, corrupted: 0 };
    for (const site of patchSites(session))
      for (const direction of directions) {
        const { axes } = findSite(model.config, matchSites(model.config, site)[0]!).row;
        const by = axes.includes("head") || axes.includes("key_head") ? "head" : "position";
        const found = await patchingSweep(
          model,
          backend,
          pairs,
          { site, direction, by: [by], layers, ...control },
          context,
        );
        differences = { clean: found.clean[0]!, corrupted: found.corrupted[0]! };
        sweeps.push({ site, direction, cells: found.cells.map(cellOf) });
      }
    if (options.paths)
      for (const direction of directions) {
        const asked = { direction, to: "logits", ...control } as const;
        const found = await pathPatching(model, backend, pairs, asked, context);
        const cells = found.filter(({ layer }) => layers.includes(layer)).map(cellOf);
        sweeps.push({ site: "paths", direction, cells });
      }
    return {
      clean: [...clean.pieces],
      corrupted: [...corrupted.pieces],
      right,
      wrong,
      differences,
      sweeps,
    };
  },
  lines({ clean, corrupted, right, wrong, differences, sweeps }, screen) {
    const [a, b] = [clean.map(tokenLabel), corrupted.map(tokenLabel)];
    const labels = a.map((label, i) =>
      label === b[i] ? clipped(label, 16) : `${clipped(label, 8)}/${clipped(b[i]!, 8)}`,
    );
    return [
      `activation patching   ${askedDifference(right, wrong)}: clean ${signed(differences.clean)}, corrupted ${signed(differences.corrupted)}`,
      "noising: the clean prompt runs, one value is the corrupted prompt's; denoising: the other way",
      "an effect of 1 goes all of the way; unrelated: the value comes from the prompt's tokens, shuffled",
      "● further from zero than the unrelated   ○ not",
      ...sweeps.flatMap((sweep) => ["", ...picture(sweep, labels, screen)]),
    ];
  },
};

function patchSites({ options, model }: Session): string[] {
  const asked = options.patch?.split(",").map((name) => name.trim());
  const usual = model.config.attn_only ? ["resid_pre", "z"] : ["resid_pre", "z", "mlp_out"];
  return asked ?? usual;
}

function cellOf({ layer, head, effect, ...rest }: SweepCell | Omit<SweepCell, "position">): Cell {
  const position = "position" in rest ? rest.position : undefined;
  return {
    layer,
    ...(position === undefined ? {} : { position }),
    ...(head === undefined ? {} : { head }),
    effect: recordOf(effect),
  };
}

function titleOf({ site, direction }: Sweep): string {
  return `${site === "paths" ? "heads to logits" : site}, ${direction}`;
}

/** Effects, and those of unrelated prompts beside them: rows are tokens or heads, columns layers. */
function picture(sweep: Sweep, labels: readonly string[], { ink, width }: Screen): string[] {
  const { cells } = sweep;
  const rows = [...new Set(cells.map(rowOf))].slice(-mostRows);
  const names = rows.map((row) => (cells[0]!.head === undefined ? labels[row]! : `head ${row}`));
  const margin = Math.max("layer".length, ...names.map(columnsOf));
  const room = Math.floor((width - margin - 4) / 2);
  const every = [...new Set(cells.map(({ layer }) => layer))];
  // Numbers where they fit, else shades: the strongest are named below anyway.
  const wide = every.length * 5 <= room ? 5 : 2;
  const layers = thinned(every, Math.floor(room / wide));
  const at = new Map(cells.map((one) => [`${one.layer} ${rowOf(one)}`, one.effect]));
  const cell = (value: number): string => {
    if (wide === 2) return ink.cell(value);
    return ink.wash(clipped(hundredths(value), 5).padStart(4).padEnd(5), value);
  };
  const half = (of: (effect: FigureRecord) => number, title: string) => ({
    title,
    lines: [
      layers
        .map((layer, i) => (wide === 5 || i % 2 === 0 ? `${layer}`.padStart(wide - 1) : " "))
        .map((text) => text.padEnd(wide))
        .join(""),
      ...rows.map((row) => layers.map((layer) => cell(of(at.get(`${layer} ${row}`)!))).join("")),
    ],
  });
  const left = { title: "", lines: ["layer", ...names] };
  const effect = half(({ value }) => value, "effect");
  const unrelated = half(({ controls }) => controls[0]!.value, "unrelated");
  const cut = [
    ...(layers.length < every.length ? [`${layers.length} of ${every.length} layers`] : []),
    ...(names.length === mostRows ? [`the last ${mostRows} rows`] : []),
  ];
  return [
    ink.bold(titleOf(sweep)) + (cut.length > 0 ? `   (${cut.join(", ")}; --json has all)` : ""),
    ...sideBySide([left, effect, unrelated], width).map((line) => line.trimEnd()),
    ...best(sweep, labels),
  ];
}

const rowOf = ({ position, head }: Cell): number => position ?? head ?? 0;

function best({ cells }: Sweep, labels: readonly string[]): string[] {
  const order = [...cells].sort((a, b) => Math.abs(b.effect.value) - Math.abs(a.effect.value));
  const shown = order.filter(({ effect }) => Math.abs(effect.value) >= 0.005).slice(0, strongest);
  if (shown.length === 0) return [];
  return aligned([
    ["strongest", "effect", "unrelated"],
    ...shown.map((cell) => {
      const { layer, head, position, effect } = cell;
      const where = head === undefined ? `layer ${layer} ${labels[position!]}` : `${layer}.${head}`;
      const { low, high } = effect.controls[0]!;
      return [
        `${mark(effect, { signed: true })} ${where}`,
        hundredths(effect.value),
        `${hundredths(low!)} to ${hundredths(high!)}`,
      ];
    }),
  ]);
}
