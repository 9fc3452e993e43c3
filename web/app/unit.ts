// What are the units of a page called: features of a dictionary, or a layer's own neurons?
import { useQuery } from "@tanstack/react-query";
import { type UnitWords, unitWords } from "../words.ts";
import { dictionary } from "./queries.ts";

export function useUnit(id: string | undefined): UnitWords {
  const { data } = useQuery({ ...dictionary(id ?? ""), enabled: id !== undefined });
  return unitWords[data?.unit ?? "feature"];
}
