import { defineConfig } from 'vitest/config'
import { matrixReporter } from './tests/matrix/src/matrix-reporter.ts'

const everywhere = (suffix: string) => [`{packages,tests,examples,tools}/**/*.${suffix}.ts`]

// Files that need a process of their own: they measure the heap, break connections on purpose, or
// use a library that keeps something in the process (an API that is registered once, a variable).
// `@hono/node-server` replaces the global Response, and the client's tests compare with Node's own.
const alone = [
  'packages/client/**/*.test.ts',
  'packages/conformance/**/*.test.ts',
  'packages/core/test/engine/garbage.test.ts',
  'packages/core/test/memory/memory-store.test.ts',
  'packages/dashboard/test/mounting.test.ts',
  'packages/postgres/test/bridges/options.test.ts',
  'packages/telemetry/**/*.test.ts',
  'packages/web/**/*.test.ts',
]
const nowhere = ['**/node_modules/**', ...everywhere('int.test')]

export default defineConfig({
  test: {
    pool: 'forks',
    // Many tests wait: for a lease to end, for a server to come back.
    maxWorkers: 3,
    // A second try on machines that are shared and noisy; the report says who needed it.
    retry: process.env.CI ? 1 : 0,
    // .ci/run reads its count of tests from here.
    reporters: [
      'default',
      matrixReporter(),
      ...(process.env.VITEST_REPORT
        ? [['json', { outputFile: process.env.VITEST_REPORT }] as const]
        : []),
    ],
    projects: [
      {
        extends: true,
        test: {
          // Files share processes: to start one and to load the modules in it takes longer than the
          // tests of most files (docs/decisions/0298).
          name: 'unit',
          isolate: false,
          setupFiles: './tests/servers/src/shared-process.ts',
          testTimeout: process.env.CI ? 60_000 : 5_000,
          include: ['packages/**/*.test.ts'],
          exclude: [...nowhere, ...alone],
        },
      },
      {
        extends: true,
        test: {
          name: 'unit-alone',
          testTimeout: process.env.CI ? 60_000 : 5_000,
          include: [...alone, '{tests,examples,tools}/**/*.test.ts'],
          exclude: nowhere,
        },
      },
      {
        extends: true,
        test: {
          name: 'int',
          include: everywhere('int.test'),
          globalSetup: './tests/servers/src/global-setup.ts',
          testTimeout: process.env.CI ? 240_000 : 60_000,
          hookTimeout: process.env.CI ? 240_000 : 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: everywhere('test-d'),
            tsconfig: './tsconfig.tests.json',
          },
        },
      },
    ],
  },
})
