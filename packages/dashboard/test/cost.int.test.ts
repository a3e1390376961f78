import type { DeadLetterSource } from '@oncekey/core'
import {
  migrate,
  postgresConsumers,
  postgresEvents,
  postgresLog,
  postgresStore,
} from '@oncekey/postgres'
import { sagaMigrations, sagaOperator } from '@oncekey/saga'
import { prometheus } from '@oncekey/telemetry/prometheus'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type Dashboard, dashboard } from '../src/index.ts'
import { fillTables } from './filled.ts'
import { FILLED_PAGES } from './filled-pages.ts'

/** `DASHBOARD_RECORDS=10000000` makes a tenth as many dead letters; the times are printed. */
const RECORDS = Number(process.env.DASHBOARD_RECORDS ?? 110_000)
const LETTERS = Math.max(Math.ceil(RECORDS / 10), 110_000)

let database: Database
let pool: Pool
let show: Dashboard
let letter: string
let sources: readonly DeadLetterSource[]
let register: Registry

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url, max: SESSIONS })
  await migrate(pool, { also: [webhookMigrations, sagaMigrations] })
  await fillTables(pool, { records: RECORDS, letters: LETTERS })
  const hooks = webhooks({ client: pool })
  const log = postgresLog({ client: pool })
  letter = (await log.deadLetters.list({}, { limit: 1 })).items[0]?.id ?? ''
  sources = [log.deadLetters, hooks.deadLetters, sagaOperator({ client: pool }).deadLetters]
  const store = postgresStore({ client: pool, mode: 'lease' })
  const lag = { log, consumers: ['mailer', 'printer'] }
  register = new Registry()
  prometheus({ register, deadLetters: sources, lag, keys: store.keys })
  show = dashboard({
    store,
    deadLetters: sources,
    lag,
    consumers: postgresConsumers({ client: pool }),
    events: postgresEvents({ client: pool }),
    webhooks: hooks,
    sagas: sagaOperator({ client: pool }),
    authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
  })
}, 3_600_000)
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

const SESSIONS = 4
/** Above what any page looks at, and below the number of letters. */
const MOST_ROWS = 100_000

/** How many rows the tables of Oncekey have given to whoever asked, and in how many scans. */
async function looked(): Promise<{ readonly rows: number; readonly largeScans: number }> {
  // Each session tells its counts once it is idle.
  const flush = () => pool.query('select pg_stat_force_next_flush()')
  await Promise.all(Array.from({ length: SESSIONS }, flush))
  const { rows } = await pool.query<{ rows: string; scans: string }>(
    `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) as rows,
        sum(seq_scan) filter (where n_live_tup > 1000) as scans
      from pg_stat_user_tables where schemaname = 'oncekey'`,
  )
  return { rows: Number(rows[0]?.rows), largeScans: Number(rows[0]?.scans) }
}

test.each([
  ['consumers', { subject: `order-${LETTERS}` }],
  ['webhooks', { subject: `order-${LETTERS}` }],
  ['sagas', { fingerprint: 'kind-last' }],
])(
  'the last dead letter of %s is found page by page, past any number of others',
  async (name, filter) => {
    const source = sources.find((each) => each.name === name)
    if (source === undefined) throw new Error(name)
    const found: string[] = []
    let pages = 0
    let after: string | undefined
    do {
      const page = await source.list(filter, { limit: 10, ...(after && { after }) })
      found.push(...page.items.map(({ id }) => id))
      after = page.next
      pages += 1
    } while (after !== undefined)
    expect(found).toHaveLength(1)
    expect(pages).toBeGreaterThan(2)
    const named = await source.count({ ids: found, ...filter })
    expect({ counted: await source.count(filter), named }).toEqual({ counted: 0, named: 1 })
  },
)

/** Runs what looks at the tables, and says how many rows it was given, and in how many scans. */
async function cost(name: string, look: () => Promise<void>) {
  await looked()
  const before = await looked()
  const began = performance.now()
  await look()
  const ms = performance.now() - began
  await looked()
  const after = await looked()
  const rows = after.rows - before.rows
  const scans = after.largeScans - before.largeScans
  if (process.env.DASHBOARD_RECORDS !== undefined) {
    console.log(`${rows} rows, ${scans} scans, ${ms.toFixed(0)} ms: ${name}`)
  }
  return { rows, isBounded: rows <= MOST_ROWS }
}

test.each(FILLED_PAGES)('/%s looks at a bounded number of rows', async (named) => {
  const path = named.replace('LETTER', letter)
  const found = await cost(`/${path}`, async () => {
    const response = await show(new Request(`http://shop.example/${path}`))
    expect(response.status, await response.text()).toBe(200)
  })
  expect(found).toEqual({ ...found, isBounded: true })
})

test('a scrape of all gauges looks at a bounded number of rows', async () => {
  const found = await cost('a scrape', async () => {
    const text = await register.metrics()
    expect(text).toMatch(/oncekey_dead_letters\{source="consumers"\} [1-9]/)
    expect(text).not.toMatch(/oncekey_scrape_failed\{.*\} 1/)
  })
  expect(found).toEqual({ ...found, isBounded: true })
})
