import { defineConfig } from 'vitest/config'

// The workspace's run does not include these tests, because benches gate nothing. To run them:
// npx -y pnpm@12 --filter @oncekey/benchmarks test
export default defineConfig({ test: { include: ['test/**/*.test.ts'], maxWorkers: 1 } })
