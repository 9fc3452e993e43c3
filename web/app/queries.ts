// Which questions does the app ask, and how long is each answer good?
import { keepPreviousData, QueryClient, queryOptions } from "@tanstack/react-query";
import type {
  DictionarySummary,
  FeatureList,
  FeaturePage,
  Home,
  ModelInfo,
  PromptReply,
  RunState,
} from "../../src/api/types.ts";
import { ApiProblem, get, part, post } from "./api.ts";

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => !(error instanceof ApiProblem) && count < 2,
      retryDelay: 400,
    },
  },
});

export const home = queryOptions({
  queryKey: ["home"],
  queryFn: ({ signal }) => get<Home>("/api", signal),
  staleTime: 5_000,
});

export const run = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => get<RunState>(`/api/runs/${part(id)}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const model = (name: string) =>
  queryOptions({
    queryKey: ["model", name],
    queryFn: ({ signal }) => get<ModelInfo>(`/api/models/${part(name)}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Until its control has come, a dictionary still grows: it is asked for again. */
export const dictionary = (id: string) =>
  queryOptions({
    queryKey: ["dictionary", id],
    queryFn: ({ signal }) => get<DictionarySummary>(`/api/dictionaries/${part(id)}`, signal),
    refetchInterval: (query) => (query.state.data?.state === "controlled" ? false : 5_000),
  });

export const features = (id: string, revision: number, params: string) =>
  queryOptions({
    queryKey: ["features", id, revision, params],
    queryFn: ({ signal }) =>
      get<FeatureList>(`/api/dictionaries/${part(id)}/features?${params}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });

export const feature = (id: string, index: number, revision: number) =>
  queryOptions({
    queryKey: ["feature", id, index, revision],
    queryFn: ({ signal }) =>
      get<FeaturePage>(`/api/dictionaries/${part(id)}/features/${index}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const prompt = (id: string, text: string, top: number) =>
  queryOptions({
    queryKey: ["prompt", id, text, top],
    queryFn: ({ signal }) =>
      post<PromptReply>(`/api/dictionaries/${part(id)}/prompt`, { text, top }, signal),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: text !== "",
    placeholderData: keepPreviousData,
  });
