import { defineConfig } from 'vitest/config'

// Not a part of the workspace's run, because benches gate nothing. `npx -y pnpm@12 --filter
// @oncekey/benchmarks test`.
export default defineConfig({ test: { include: ['test/**/*.test.ts'], maxWorkers: 1 } })
