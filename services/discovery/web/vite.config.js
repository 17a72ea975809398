import { defineConfig } from "vite";

// What is built goes into the Python package, whose application serves it.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/domicile_discovery/web",
    emptyOutDir: true,
    target: ["chrome123", "firefox128", "safari17.5"],
    assetsInlineLimit: 0, // the page's policy wants files
    modulePreload: { polyfill: false },
    rolldownOptions: { external: ["crypto"] }, // what @hpke/core asks for where there is no WebCrypto
  },
  worker: { format: "es" },
});
