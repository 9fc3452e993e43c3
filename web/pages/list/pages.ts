// Which rows are on screen, from as many pages of a hundred as it takes?
import { useQueries } from "@tanstack/react-query";
import { useRef } from "react";
import type { FeatureList, FeatureRow } from "../../../src/api/types.ts";
import { features } from "../../app/queries.ts";

export const pageSize = 100;

export function usePages(id: string, revision: number, params: string, wanted: readonly number[]) {
  const results = useQueries({
    queries: wanted.map((page) =>
      features(id, revision, `${params}&offset=${page * pageSize}&limit=${pageSize}`),
    ),
  });
  const lists = results.map((r) => r.data);
  const rowAt = (place: number): FeatureRow | undefined => {
    for (const list of lists) {
      const row = list?.rows[place - list.offset];
      if (list && place >= list.offset && row !== undefined) return row;
    }
    return undefined;
  };
  // While another stretch is on its way, what is known of the whole stays.
  const known = useRef<{ id: string; list: FeatureList } | null>(null);
  const fresh = lists.find((l) => l !== undefined);
  if (fresh) known.current = { id, list: fresh };
  const first = fresh ?? (known.current?.id === id ? known.current.list : undefined);
  const placeOf = (index: string): number => {
    for (const list of lists) {
      const found = list?.rows.findIndex((r) => String(r.index) === index) ?? -1;
      if (list && found >= 0) return list.offset + found;
    }
    return -1;
  };
  return {
    rowAt,
    placeOf,
    order: lists.flatMap((l) => l?.rows.map((r) => r.index) ?? []),
    first,
    error: results.find((r) => r.error)?.error ?? null,
    old: results[0]?.isPlaceholderData ?? false,
    fetchedAt: Math.max(...results.map((r) => r.dataUpdatedAt), 0),
    retry: () => results.forEach((r) => void r.refetch()),
  };
}
