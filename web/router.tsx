// Which page does an address mean? Every page is fetched when it is first asked for.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from "@tanstack/react-router";
import { parseSearch, pick, writeSearch } from "./app/search.ts";
import { Home, Nowhere } from "./pages/home.tsx";
import { Refused } from "./parts/states.tsx";

const root = createRootRoute({ component: Outlet, notFoundComponent: Nowhere });

const homeRoute = createRoute({ getParentRoute: () => root, path: "/", component: Home });

const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$run",
  validateSearch: pick(["at"]),
  component: lazyRouteComponent(() => import("./pages/run.tsx"), "RunPage"),
});

export const listKeys = [
  "q",
  "sort",
  "order",
  "context",
  "verdict",
  "min_r",
  "max_density",
  "min_density",
  "alive",
  "at",
  "facets",
  "peek",
] as const;

const listRoute = createRoute({
  getParentRoute: () => root,
  path: "/d/$dictionary",
  validateSearch: pick(listKeys),
  component: lazyRouteComponent(() => import("./pages/list.tsx"), "ListPage"),
});

const featureRoute = createRoute({
  getParentRoute: () => root,
  path: "/d/$dictionary/$index",
  validateSearch: pick(["try", "figure", "at", "open", "token", "claim"]),
  component: lazyRouteComponent(() => import("./pages/feature.tsx"), "FeaturePage"),
});

const promptRoute = createRoute({
  getParentRoute: () => root,
  path: "/prompt/$dictionary",
  validateSearch: pick(["text", "held", "token", "wash", "pin"]),
  component: lazyRouteComponent(() => import("./pages/prompt.tsx"), "PromptPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([homeRoute, runRoute, listRoute, featureRoute, promptRoute]),
  parseSearch,
  stringifySearch: writeSearch,
  defaultPreload: "intent",
  scrollRestoration: true,
  defaultErrorComponent: ({ error, reset }) => <Refused error={error} retry={reset} />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
