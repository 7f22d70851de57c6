import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` borrows everything but the page itself from a running edge.
const edge = "http://localhost:8080";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../../build/spa", emptyOutDir: true },
  server: {
    // The one origin, besides the edge's own, that sign-in and the hub let in.
    port: 5173,
    strictPort: true,
    proxy: {
      "/config.json": edge,
      "/idp": edge,
      "/v1": edge,
      "/hub": { target: edge, ws: true },
    },
  },
});
