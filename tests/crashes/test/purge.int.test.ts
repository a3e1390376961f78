import { migrate, purge } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { killWorker, type WorkPlace } from '../src/killed-worker.ts'
import { type Traffic, traffic } from '../src/traffic.ts'

/** The batches of one round of a purge, statement by statement. */
const BATCHES = ['results', 'keys', 'attempts', 'leases'] as const
type Batch = (typeof BATCHES)[number]

const PLACES = BATCHES.flatMap((batch) =>
  (['statement', 'answer'] as const).map((lost) => ({ batch, lost, schema: `${batch}_${lost}` })),
)

/** Rows of each kind. The rounds take 21, 22, 23 … of them, and the third round is killed. */
const SEEDED = 100
const AFTER_TWO_ROUNDS = 21 + 22
const AFTER_THREE_ROUNDS = 21 + 22 + 23

let database: Database
let pool: Pool
let served: Traffic

describe('a killed purge deletes only what was due, and the next one deletes the rest', () => {
  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    pool = new Pool({ connectionString: database.url, max: 2 * PLACES.length })
    pool.on('error', () => {})
    await Promise.all(PLACES.map(({ schema }) => seed(schema)))
    const schemas = PLACES.map(({ schema }) => schema)
    served = await traffic(pool, schemas)
    await served.during(schemas, (alongside) =>
      killWorker(database.url, 'purge', PLACES.map(workPlace), alongside),
    )
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  test.each(PLACES)('in the third batch of $batch, whose $lost is lost', async (place) => {
    const { schema } = place
    expect(await gone(schema)).toEqual(goneAt(place))
    expect(await untouched(schema)).toEqual(ALL)

    await served.during([schema], async (alongside) => {
      while ((await purge(pool, { schema, limit: 30 })).more);
      await alongside()
    })
    expect(await gone(schema)).toEqual(ALL)
    expect(await untouched(schema)).toEqual(ALL)
    await served.expectAllThere(schema)
  })
})

const TEXTS: Record<Batch, (quoted: string) => string> = {
  results: (quoted) => `update ${quoted}.records set body = null`,
  keys: (quoted) => `delete from ${quoted}.records`,
  attempts: (quoted) => `delete from ${quoted}.attempts`,
  leases: (quoted) => `delete from ${quoted}.leases`,
}

function workPlace({ batch, lost, schema }: (typeof PLACES)[number]): WorkPlace {
  const text = TEXTS[batch](`"${schema}"`)
  // The third round's limit as it is in a Bind message: the length of the value, and the value.
  const third = '\u0000\u0000\u0000\u000223'
  return {
    schema,
    lost,
    // Both have to be in one message, because statements of other rounds and other schemas may
    // follow.
    statement(sent) {
      const at = sent.lastIndexOf(text)
      const rest = sent.subarray(at)
      return at !== -1 && rest.includes(third) && !rest.includes('with due')
    },
  }
}

/**
 * How many rows of each kind are gone. For batches before this one the third round was the last,
 * for later ones the second; each batch is done completely or not at all.
 */
function goneAt({ batch, lost }: (typeof PLACES)[number]): Record<Batch, number> {
  const at = BATCHES.indexOf(batch) + (lost === 'answer' ? 1 : 0)
  const entries = BATCHES.map((each, index) => [
    each,
    index < at ? AFTER_THREE_ROUNDS : AFTER_TWO_ROUNDS,
  ])
  return Object.fromEntries(entries)
}

const ALL = { results: SEEDED, keys: SEEDED, attempts: SEEDED, leases: SEEDED }

/** As many rows that are not due as there are due ones. */
async function seed(schema: string): Promise<void> {
  await migrate(pool, { schema })
  await pool.query(`
    insert into ${schema}.records (namespace, scope, key, fingerprint, status, headers, body, completed_at)
      select kind, 's', i::text, 'f', 200, case when body is not null then '[]' end, body::bytea, now() - age
        from generate_series(1, ${SEEDED}) i, (values
          ('fresh', 'x', interval '23 hours'), ('old', 'x', interval '2 days'),
          ('kept', null, interval '6 days'), ('ancient', null, interval '8 days')
        ) as kinds (kind, body, age);
    insert into ${schema}.attempts (namespace, scope, key, fingerprint, number, token, until, claimed_at)
      select kind, 's', i::text, 'f', 1, kind || i, now() - age, now() - age
        from generate_series(1, ${SEEDED}) i,
          (values ('kept', interval '6 days'), ('ancient', interval '8 days')) as kinds (kind, age);
    insert into ${schema}.leases (token, until, renewed_first_at)
      select 'lease ' || kind || i, now() - age, now() - age
        from generate_series(1, ${SEEDED}) i,
          (values ('kept', interval '7 days'), ('ancient', interval '9 days')) as kinds (kind, age)`)
}

const gone = (schema: string): Promise<Record<Batch, number>> =>
  counted(`select
    (select count(*) from ${schema}.records where namespace = 'old' and body is null) as results,
    ${SEEDED} - (select count(*) from ${schema}.records where namespace = 'ancient') as keys,
    ${SEEDED} - (select count(*) from ${schema}.attempts where namespace = 'ancient') as attempts,
    ${SEEDED} - (select count(*) from ${schema}.leases where token like 'lease ancient%') as leases`)

const untouched = (schema: string): Promise<Record<Batch, number>> =>
  counted(`select
    (select count(*) from ${schema}.records where namespace = 'fresh' and body = 'x') as results,
    (select count(*) from ${schema}.records where namespace = 'kept') as keys,
    (select count(*) from ${schema}.attempts where namespace = 'kept') as attempts,
    (select count(*) from ${schema}.leases where token like 'lease kept%') as leases`)

async function counted(text: string): Promise<Record<Batch, number>> {
  const { rows } = await pool.query<Record<Batch, string>>(text)
  const entries = Object.entries(rows[0] ?? {}).map(([name, count]) => [name, Number(count)])
  return Object.fromEntries(entries)
}
