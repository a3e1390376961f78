import { defineConfig } from 'vitest/config'
import { matrixReporter } from './tests/matrix/src/matrix-reporter.ts'

const everywhere = (suffix: string) => [`{packages,tests,examples,tools}/**/*.${suffix}.ts`]

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
          name: 'unit',
          testTimeout: process.env.CI ? 60_000 : 5_000,
          include: everywhere('test'),
          exclude: ['**/node_modules/**', ...everywhere('int.test')],
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
