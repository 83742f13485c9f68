import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { en } from "./src/words/en.ts";
import { es } from "./src/words/es.ts";
import { pt } from "./src/words/pt.ts";

// Translations are built as values in the order of the English table: the keys stand in the page once.
const keysOnce = (): Plugin => ({
  name: "keys-once",
  apply: "build",
  transform(_, id) {
    const language = /words\/(es|pt)\.ts$/.exec(id)?.[1];
    if (language !== "es" && language !== "pt") return null;
    const table = { es, pt }[language];
    const values = Object.keys(en).map((key) => table[key as keyof typeof en]);
    const code = `import { en } from "./en";
const values = ${JSON.stringify(values)};
export const ${language} = Object.fromEntries(Object.keys(en).map((key, i) => [key, values[i]]));`;
    return { code, map: null };
  },
});

// The page is plain files beside the service that serves them: no inline scripts or styles, nothing from outside.
export default defineConfig({
  base: "./",
  plugins: [keysOnce()],
  build: {
    outDir: "../fogcatcher/studio/page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    proxy: Object.fromEntries(["/api", "/files", "/shipped"].map((path) => [path, "http://127.0.0.1:7860"])),
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});
