import { join } from 'node:path'
import type { NextConfig } from 'next'

const config: NextConfig = {
  // Embedded Postgres brings WebAssembly of its own, which a bundler must leave where it is.
  serverExternalPackages: ['@electric-sql/pglite'],
  // These two are for this repository, whose packages are sources beside the example.
  turbopack: { root: join(import.meta.dirname, '../..') },
  typescript: { tsconfigPath: 'tsconfig.next.json' },
}

export default config
