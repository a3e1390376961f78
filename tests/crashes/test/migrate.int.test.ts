import { migrate } from '@oncekey/postgres'
import { type Database, freshDatabase, type Sent, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { migratePackage } from '../../../packages/postgres/src/schema/migrate.ts'
import { migrations } from '../../../packages/postgres/src/schema/migrations/all.ts'
import { all } from '../src/databases/database.ts'
import { killWorker, type WorkPlace } from '../src/killed-worker.ts'
import { schemaShape, versionsIn } from '../src/schema-shape.ts'

interface MigrationPoint {
  readonly name: string
  readonly lost: WorkPlace['lost']
  readonly statement: (quoted: string) => Sent
  /** The version of the schema before, and after the process is dead. */
  readonly before?: number
  readonly after?: number
}

// Matches COMMIT only as a statement, because the word also occurs in bodies of functions.
const commit = (quoted: string): Sent => all(`${quoted}.migrations`, '\0COMMIT\0')

const POINTS: readonly MigrationPoint[] = [
  {
    name: 'with the lock, before it has looked',
    lost: 'statement',
    statement: (quoted) => all('to_regnamespace', quoted),
  },
  {
    name: 'when it has created the schema',
    lost: 'answer',
    statement: (quoted) => `create schema ${quoted}`,
  },
  {
    name: 'within the first migration',
    lost: 'answer',
    statement: (quoted) => `create index records_with_result on ${quoted}.records`,
  },
  {
    name: 'between two migrations',
    lost: 'answer',
    statement: (quoted) => `insert into ${quoted}.migrations`,
  },
  {
    name: 'at the start of the last one',
    lost: 'statement',
    statement: (quoted) => `create table ${quoted}.consumers`,
  },
  {
    name: 'within the last one',
    lost: 'answer',
    statement: (quoted) => `create function ${quoted}.take_in`,
  },
  { name: 'in COMMIT, which never arrives', lost: 'statement', statement: commit },
  { name: 'in COMMIT, which is carried out', lost: 'answer', statement: commit, after: 3 },
  {
    name: 'within an upgrade',
    lost: 'answer',
    statement: (quoted) => `create function ${quoted}.claim_lease`,
    before: 1,
    after: 1,
  },
]

let database: Database
let pool: Pool
beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url, max: POINTS.length + 1 })
  pool.on('error', () => {})
  await migrate(pool, { schema: 'pristine' })
  await migrateTo(1, 'half_way')
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const migrateTo = (version: number, schema: string): Promise<void> =>
  migratePackage(
    pool,
    { package: 'postgres', migrations: migrations.slice(0, version) },
    { schema },
  )

const places = async (prefix: string): Promise<WorkPlace[]> =>
  await Promise.all(
    POINTS.map(async ({ lost, statement, before = 0 }, index) => {
      const schema = `${prefix}_${index}`
      if (before > 0) await migrateTo(before, schema)
      return { schema, lost, statement: statement(`"${schema}"`) }
    }),
  )

const expectLike = async (schema: string, other: string): Promise<void> => {
  expect(await versionsIn(pool, schema)).toEqual(await versionsIn(pool, other))
  expect(await schemaShape(pool, schema)).toEqual(await schemaShape(pool, other))
}

describe('a killed migration leaves everything or nothing, and the next one completes', () => {
  beforeAll(async () => {
    await killWorker(database.url, 'migrate', await places('alone'))
  })

  test.each(POINTS.map((point, index) => ({ ...point, schema: `alone_${index}` })))(
    '$name',
    async ({ schema, after = 0 }) => {
      await expectLike(schema, ['nowhere', 'half_way', '', 'pristine'][after] ?? '')
      await migrate(pool, { schema })
      await expectLike(schema, 'pristine')
    },
  )
})

describe('a migration that waits for a killed one completes', () => {
  let others: Promise<unknown>
  beforeAll(async () => {
    const all = await places('waiting')
    const committed = POINTS.filter(({ name }) => name === 'in COMMIT, which is carried out').length
    await killWorker(database.url, 'migrate', all, async () => {
      others = Promise.all(all.map(({ schema }) => migrate(pool, { schema })))
      others.catch(() => {})
      await waitFor(async () => (await waiting()) === all.length - committed, {
        what: 'the others to wait for the lock',
      })
    })
    await others
  })

  test.each(POINTS.map((point, index) => ({ ...point, schema: `waiting_${index}` })))(
    '$name',
    ({ schema }) => expectLike(schema, 'pristine'),
  )

  async function waiting(): Promise<number> {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::integer from pg_locks join pg_database d on d.oid = database
        where datname = current_database() and locktype = 'advisory' and not granted`,
    )
    return rows[0]?.count ?? 0
  }
})
