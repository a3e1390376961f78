import { type Consumer, consumer, createRelay, type Relay } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import {
  type Clock,
  type PostgresServer,
  startClock,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quick } from '../databases/log-database.ts'

let clock: Clock
let server: PostgresServer
let pool: Pool
/** The id of a redrive whose first portion was carried while the clock was ahead. */
let redrive: string

/** The events with which each consumer was called, in order. */
const taken = { unordered: [] as string[], ordered: [] as string[] }
type Name = keyof typeof taken
const names = Object.keys(taken) as Name[]

/** A consumer that fails once, on the first of its two events. */
function failsOnce(name: Name): Consumer {
  return consumer({
    name,
    ordered: name === 'ordered',
    types: [name],
    backoff: () => 500,
    handle({ event }) {
      const isFirst = taken[name].length === 0
      taken[name].push(String(event.subject))
      if (isFirst) throw new Error('away')
    },
  })
}

const relayOf = (name: Name): Relay =>
  createRelay({
    ...quick,
    log: postgresLog({ client: pool }),
    consumers: [failsOnce(name) as never],
  })

const retrying = async (name: Name) =>
  (
    await pool.query(
      `select from oncekey.deliveries
        where consumer = $1 and attempts > 0 and due_at > now() - interval '30 minutes'`,
      [name],
    )
  ).rowCount

// Runs before the server starts, because a running server's processes would not all see the change
// at the same moment.
beforeAll(async () => {
  clock = await startClock()
  clock.shift(3_600)
  server = await startPostgres({ env: clock.env })
  pool = new Pool({ connectionString: server.url })
  pool.on('error', () => {})
  await migrate(pool)
  const { rows } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
  expect(Number(rows[0]?.now)).toBeGreaterThan(Date.now() + 3_000_000)

  for (const name of names) {
    for (const subject of ['fails', 'follows']) {
      await transact(pool, (_, emit) => emit({ type: name, subject, orderingKey: name, data: {} }))
    }
    const relay = relayOf(name)
    await relay.runOnce()
    await relay.stop()
    expect(await retrying(name)).toBe(1)
  }

  const log = postgresLog({ client: pool })
  const { deadLetters } = log
  await log.subscribe({ consumer: 'third', types: ['other'], startAt: 'now' })
  await pool.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
        headers, occurred_at, state, reason, attempts, starts, due_at, first_failed_at, dead_at)
      select 'third', 0, n, gen_random_uuid(), 'other', '/', 'k', '{}', '{}', now(),
          'dead', 'permanent', 1, 1, now(), now(), now() - interval '2 hours'
        from generate_series(1, 3) n`,
  )
  redrive = String(await deadLetters.redrives?.start({}, { ratePerSecond: 1 }))
  await deadLetters.redrives?.carry()
  expect(await deadLetters.redrives?.get(redrive)).toMatchObject({ state: 'running', redriven: 1 })
  clock.shift(0)
  // The letter that the redrive took dies again.
  const again = await pool.query(
    `update oncekey.deliveries set state = 'dead', dead_at = clock_timestamp()
      where consumer = 'third' and state = 'retrying'`,
  )
  expect(again.rowCount).toBe(1)
})

afterAll(async () => {
  await pool.end()
  await server.stop()
  clock.remove()
})

// A bug: events that failed while the clock was ahead were retried only when the clock had reached
// that time again.
test.each([
  ['unordered', ['fails', 'follows', 'fails']],
  ['ordered', ['fails', 'fails', 'follows']],
] as const)(
  'what an %s consumer could not take before the clock was put back is tried again after its own wait',
  async (name, expected) => {
    const relay = relayOf(name)
    relay.start()
    await waitFor(() => taken[name].length === 3, { what: 'the second try' })
    await relay.stop()
    expect(taken[name]).toEqual(expected)
  },
)

// A bug: what died again after the clock was put back, and so before the redrive had started, was
// put back again and again.
test('a redrive at a rate goes on after the clock was put back, and takes each letter once', async () => {
  const { redrives } = postgresLog({ client: pool }).deadLetters
  await waitFor(
    async () => {
      await redrives?.carry()
      return (await redrives?.get(redrive))?.state === 'done'
    },
    { what: 'the redrive to end' },
  )
  expect(await redrives?.get(redrive)).toMatchObject({ redriven: 3, refused: 0 })
  const { rows } = await pool.query(
    `select redrives, count(*)::integer from oncekey.deliveries where consumer = 'third' group by 1`,
  )
  expect(rows).toEqual([{ redrives: 1, count: 3 }])
})
