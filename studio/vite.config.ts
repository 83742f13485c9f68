import { defineConfig } from "vitest/config";

// The page is plain files beside the service that serves them: no inline scripts or styles, nothing from outside.
export default defineConfig({
  base: "./",
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
