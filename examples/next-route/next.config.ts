import { join } from 'node:path'
import type { NextConfig } from 'next'

const config: NextConfig = {
  // Embedded Postgres contains WebAssembly, which a bundler must leave in its place.
  serverExternalPackages: ['@electric-sql/pglite'],
  // These two are only for this repository, where the packages are sources beside the example.
  turbopack: { root: join(import.meta.dirname, '../..') },
  typescript: { tsconfigPath: 'tsconfig.next.json' },
}

export default config
