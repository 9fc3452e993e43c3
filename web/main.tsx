// Where the app starts: token, theme, queries, router.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { keepToken } from "./app/api.ts";
import { client } from "./app/queries.ts";
import { printLight, restoreTheme } from "./app/theme.ts";
import { router } from "./router.tsx";
import "./styles/app.css";

keepToken();
restoreTheme();
printLight();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
