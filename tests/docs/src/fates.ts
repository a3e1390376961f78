import type { Block } from './blocks.ts'

/** Where blocks run, or why they do not. */
export interface Fate {
  /** The page, or a folder with a slash at its end. Without it, pages do not matter. */
  readonly page?: string
  readonly language: string
  /** Text that a block has to contain. */
  readonly having?: string
  /** Test files that run the blocks of this fate. */
  readonly by?: readonly string[]
  /** Why nobody runs them. */
  readonly never?: string
}

const RUNNING = 'tests/docs/test/running.int.test.ts'
const BLOCKS = 'tests/docs/test/blocks.int.test.ts'
const CLI_PAGES = 'packages/cli/test/pages.int.test.ts'

/** The first that fits a block counts. */
export const fates: readonly Fate[] = [
  // Pages that a test follows from their first block to their last.
  ...['sh', 'js', 'json', 'http', 'text'].map((language) => ({
    page: 'docs/tutorial.md',
    language,
    by: ['tests/docs/test/tutorial.int.test.ts'],
  })),
  {
    page: 'docs/operators-day.md',
    language: 'console',
    by: ['packages/cli/test/operator-day.int.test.ts'],
  },

  // TypeScript. Blocks that are files of a test are compared with these to the letter.
  {
    page: 'docs/bridges.md',
    language: 'ts',
    by: [
      'packages/postgres/test/bridges/docs.test.ts',
      'packages/postgres/test/bridges/snippets.int.test.ts',
    ],
  },
  {
    page: 'docs/publishers.md',
    language: 'ts',
    by: ['packages/outbox/test/publishers/publisher-docs.test.ts'],
    never: 'its files are compiled; each needs a broker, whose own tests run the same calls',
  },
  { page: 'docs/testing.md', language: 'ts', by: ['examples/testing/test/page.test.ts'] },
  { page: 'docs/testing.md', language: 'js', by: ['tests/packaging/test/nest.ts'] },
  {
    page: 'docs/adapters.md',
    language: 'ts',
    having: 'coverRequest',
    by: ['packages/node/test/koa/koa-adapter.test.ts'],
  },
  {
    page: 'docs/adapters.md',
    language: 'ts',
    having: 'ServeSite',
    never: 'four of its steps are comments for the reader to fill in',
  },
  {
    page: 'docs/adapters.md',
    language: 'js',
    having: 'new Koa()',
    never: 'a sketch of the application around the adapter, with … in its handler',
  },
  {
    page: 'docs/adapters.md',
    language: 'js',
    having: 'describeAdapter',
    by: ['packages/node/test/koa/koa-adapter.test.ts'],
  },
  ...["'../src/my-store.ts'", "from './serve-with-my-framework.ts'", "from 'node:test'"].map(
    (having) => ({
      page: 'packages/conformance/README.md',
      language: 'ts',
      having,
      by: ['tests/packaging/test/third-party.ts'],
    }),
  ),
  {
    page: 'packages/conformance/README.md',
    language: 'ts',
    never: 'describes the store or log of the reader, by names that are placeholders',
  },
  {
    page: 'docs/writing-a-store.md',
    language: 'ts',
    having: 'mysqlStore',
    never: 'an outline: the functions that it calls are what the page has its reader write',
  },
  {
    page: 'docs/writing-a-store.md',
    language: 'js',
    having: 'describeStore',
    never: 'describes the store that the page has its reader write',
  },
  {
    page: 'docs/recipes.md',
    language: 'ts',
    having: 'placeAll(',
    by: [RUNNING, 'tests/docs/test/snippets.int.test.ts', 'tests/docs/test/batch.int.test.ts'],
  },
  {
    page: 'docs/recipes.md',
    language: 'ts',
    having: 'atThree(',
    by: [RUNNING, 'tests/docs/test/snippets.int.test.ts', 'tests/docs/test/cron.int.test.ts'],
  },
  {
    page: 'docs/migrating.md',
    language: 'ts',
    having: 'old_keys',
    by: [RUNNING, 'tests/docs/test/snippets.int.test.ts', 'tests/docs/test/own-table.int.test.ts'],
  },
  {
    page: 'docs/migrating.md',
    language: 'ts',
    having: 'class OldKeys',
    by: [RUNNING, 'tests/docs/test/snippets.int.test.ts', 'tests/docs/test/old-keys.test.ts'],
  },
  {
    page: 'docs/migrating.md',
    language: 'ts',
    having: 'withKeysOf(',
    by: [RUNNING, 'tests/docs/test/snippets.int.test.ts', 'tests/docs/test/two-stores.int.test.ts'],
  },
  {
    page: 'docs/http.md',
    language: 'ts',
    having: 'inOurForm',
    by: [
      RUNNING,
      'tests/docs/test/snippets.int.test.ts',
      'tests/docs/test/problems-in-own-form.test.ts',
    ],
  },
  { language: 'ts', by: [RUNNING, 'tests/docs/test/snippets.int.test.ts'] },

  // SQL
  {
    page: 'docs/grants.md',
    language: 'sql',
    by: [
      'packages/postgres/test/schema/grants.int.test.ts',
      'packages/outbox/test/relay/grants.int.test.ts',
      'packages/webhooks/test/endpoints/grants.int.test.ts',
      'packages/saga/test/roles.int.test.ts',
    ],
  },
  {
    page: 'docs/failover.md',
    language: 'sql',
    by: [
      'packages/postgres/test/log/subscriber.int.test.ts',
      'packages/postgres/test/database/documented-sequences.ts', // by which that one reads it
    ],
  },
  { language: 'sql', by: [BLOCKS] },

  // What a shell runs.
  { page: 'docs/cli.md', language: 'console', by: [CLI_PAGES] },
  { page: 'docs/reference/verbs.md', language: 'sh', by: [CLI_PAGES] },
  { language: 'sh', having: 'oncekey ', by: [CLI_PAGES] },
  {
    page: 'docs/operators-day.md',
    language: 'sh',
    by: ['packages/cli/test/operator-day.int.test.ts'],
  },
  { language: 'sh', having: 'npm install', by: [BLOCKS] },
  { language: 'sh', having: 'openssl', by: [BLOCKS] },
  {
    page: 'docs/index.md',
    language: 'sh',
    having: 'curl',
    never: 'the tutorial has the same command, which its test runs',
  },
  {
    language: 'sh',
    having: 'npx -y pnpm@12 ',
    never: 'takes minutes; that its scripts and options exist is checked',
  },

  // What other programs read.
  {
    language: 'yaml',
    having: '- alert: ',
    by: [
      'packages/telemetry/test/alert-pages.test.ts',
      'packages/telemetry/test/alerts.int.test.ts',
    ],
  },
  { language: 'yaml', having: '$ref', by: [BLOCKS] },
  { language: 'promql', by: [BLOCKS] },
  {
    page: 'docs/publishers.md',
    language: 'json',
    by: ['packages/outbox/test/publishers/publisher-docs.test.ts'],
  },
  { page: 'docs/errors/', language: 'http', by: ['tools/error-pages.test.ts'] },
  { page: 'docs/webhooks.md', language: 'http', by: [BLOCKS] },
  {
    page: 'docs/bridges.md',
    language: '',
    never: 'one line whose type is that of whichever library the reader has',
  },
  {
    language: '',
    never: 'no language: what a program has printed, or a drawing; no line of it is code',
  },
  { language: 'mermaid', by: ['tests/docs/test/site.int.test.ts'] },
]

export function fateOf(block: Block): Fate | undefined {
  return fates.find(
    ({ page, language, having = '' }) =>
      language === block.language && isOn(block.page, page) && block.text.includes(having),
  )
}

const isOn = (page: string, wanted: string | undefined) =>
  wanted === undefined || page === wanted || (wanted.endsWith('/') && page.startsWith(wanted))
