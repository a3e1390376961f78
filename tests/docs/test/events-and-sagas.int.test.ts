import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Consumer, consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import { createSagaRunner, sagaMigrations } from '@oncekey/saga'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

let database: Database
let pool: Pool
const files: string[] = []

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool, { also: [sagaMigrations] })
  await pool.query(`
    create table carts (id int, touched timestamptz);
    create table orders (id int, shipped boolean default false);
    create table invoices (event uuid, cents int, currency text);
    create table sales (day timestamptz);
    create table tickets (id text, flight text);
    create table emails (address text);
    create table invitations (id text, version int, email text)`)
})

afterAll(async () => {
  await pool.end()
  await database.drop()
  for (const file of files) rmSync(file, { force: true })
})

/** Runs the snippet of a page that contains a text, and returns what it declares by a name. */
async function run(page: string, having: string, name: string, given: object = {}) {
  const [snippet] = snippetsOf(page).filter(({ text }) => text.includes(having))
  const file = join(workspace, 'tests', 'docs', `.run-${name}.ts`)
  files.push(file)
  Object.assign(globalThis, { given: { pool, ...given } })
  const names = ['pool', ...Object.keys(given)].join(', ')
  const imports = "import { consumer } from '@oncekey/outbox'\n"
  writeFileSync(
    file,
    `${imports}const { ${names} } = (globalThis as any).given\n${snippet?.text}\nexport { ${name} as it }\n`,
  )
  return (await import(file)).it
}

const rows = async (sql: string) => (await pool.query(sql)).rows

/** Has a relay handle all that the log has for a consumer. */
async function deliver(to: Consumer<PoolClient>) {
  const relay = createRelay({ log: postgresLog({ client: pool }), consumers: [to] })
  await expect.poll(() => relay.runOnce(), { timeout: 20_000 }).toBe(0)
  await relay.stop()
}

test('events are emitted by transact and by append', async () => {
  await pool.query(`insert into carts values (7, now() - interval '31 days'), (8, now())`)
  await pool.query('insert into orders (id) values (3)')
  await run('docs/outbox.md', 'append, transact', 'client', { order: { id: 3 } })
  expect(await rows('select type, subject from oncekey.outbox order by type')).toEqual([
    { type: 'cart.expired', subject: '7' },
    { type: 'order.shipped', subject: '3' },
  ])
  expect(await rows('select shipped from orders')).toEqual([{ shipped: true }])
})

test('a consumer reads both shapes of a payload', async () => {
  const data = ['{"cents":5}', '{"total":{"cents":6,"currency":"USD"}}']
  await transact(pool, async (_, emit) => {
    for (const each of data) emit({ type: 'order.placed', data: JSON.parse(each) })
  })
  await deliver(await run('docs/outbox.md', 'const billing = consumer', 'billing'))
  expect(await rows('select cents, currency from invoices order by cents')).toEqual([
    { cents: 5, currency: 'EUR' },
    { cents: 6, currency: 'USD' },
  ])
})

test('a consumer leaves an event whose row has gone on', async () => {
  await pool.query(`insert into invitations values ('7', 2, 'ana@shop.example')`)
  await transact(pool, async (_, emit) => {
    for (const version of [1, 2])
      emit({ type: 'invitation.issued', subject: '7', data: { version } })
    emit({ type: 'invitation.issued', subject: '8', data: { version: 1 } })
  })
  await deliver(await run('docs/outbox.md', "'invitation.issued'", 'invitations'))
  expect(await rows('select address from emails')).toEqual([{ address: 'ana@shop.example' }])
})

test('a consumer with another name reads the log once more, and takes effect again', async () => {
  await transact(pool, async (_, emit) => emit({ type: 'order.created' }))
  const statistics = consumer<PoolClient>({
    name: 'statistics',
    types: ['order.created'],
    async handle({ transaction }) {
      await (await transaction()).query('insert into sales values (now())')
    },
  })
  await deliver(statistics)
  await deliver(statistics)
  expect(await rows('select from sales')).toHaveLength(1)
  await deliver(await run('docs/outbox.md', "'statistics-2'", 'again'))
  expect(await rows('select from sales')).toHaveLength(2)
})

test('a step with all its options runs, and one that is declined is not tried again', async () => {
  const charges: string[] = []
  const gateway = {
    charge: async (run: string, cents: number) => {
      charges.push(`charge ${run} ${cents}`)
      return { id: 'ch_1', declined: cents > 100 }
    },
    refund: async (run: string) => void charges.push(`refund ${run}`),
  }
  const booking = await run('docs/saga.md', 'compensationRetry', 'booking', { gateway })
  const runner = createSagaRunner({ client: pool, sagas: [booking] })
  await runner.execute(booking, { id: 'b-1', input: { flight: 'LX 1', cents: 50 } })
  expect(await rows('select id, flight from tickets')).toEqual([{ id: 'b-1', flight: 'LX 1' }])
  const declined = runner.execute(booking, { id: 'b-2', input: { flight: 'LX 2', cents: 500 } })
  await expect(declined).rejects.toMatchObject({ code: 'saga-compensated' })
  expect(charges).toEqual(['charge b-1 50', 'charge b-2 500', 'refund b-2'])
  await runner.stop()
})
