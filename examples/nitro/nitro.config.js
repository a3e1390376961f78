import { defineConfig } from 'nitro'

// Not a .ts file: on Node 20 Nitro could read that only with `jiti`.
export default defineConfig({
  serverDir: './src',
  // Embedded Postgres contains WebAssembly, so the package is copied whole instead of bundled.
  traceDeps: ['@electric-sql/pglite*'],
})
