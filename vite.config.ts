// How the app is built: web/ into dist/web, beside the library in dist/, which it leaves alone.
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const sans = "@fontsource-variable/instrument-sans/files/instrument-sans-latin-wght-normal.woff2";
const serif = "@fontsource/newsreader/files/newsreader-latin-400-normal.woff2";

export default defineConfig({
  root: fromHere("web"),
  base: "./",
  plugins: [react(), tailwindcss()],
  resolve: {
    // tokens.css ships as it is; its two files come from fontsource.
    alias: [
      {
        find: /^(\.\/)?fonts\/instrument-sans-latin-wght\.woff2$/,
        replacement: fromHere(`node_modules/${sans}`),
      },
      {
        find: /^(\.\/)?fonts\/newsreader-latin-400\.woff2$/,
        replacement: fromHere(`node_modules/${serif}`),
      },
    ],
  },
  build: {
    outDir: fromHere("dist/web"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    reportCompressedSize: false,
  },
  server: {
    fs: { allow: [fromHere(".")] },
    proxy: { "/api": process.env.MICROGRAPHIA_API ?? "http://127.0.0.1:4717" },
  },
});
