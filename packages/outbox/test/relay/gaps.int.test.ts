import { setTimeout } from 'node:timers/promises'
import { consumer, createRelay } from '@oncekey/outbox'
import { append, postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

const SECONDS = Number(process.env.GAP_SECONDS ?? 8)
/** The writers go on until they have committed this many events, also on a slow machine. */
const LEAST_EVENTS = 200
const WRITERS = 16

interface Change {
  readonly key: string
  readonly version: number
}

test('sixteen writers that commit out of order lose no event and keep the order of each key; a naive cursor loses events', {
  timeout: (SECONDS + 240) * 1000,
}, async () => {
  const pool = database.pool({ max: WRITERS + 4 })
  const keys = Array.from({ length: 40 }, (_, at) => `order-${at}`)
  await pool.query('create table orders (id text primary key, version integer not null)')
  await pool.query('insert into orders select unnest($1::text[]), 0', [keys])

  const read = new Map<string, Change>()
  const lastVersion = new Map<string, number>()
  const outOfOrder: Change[] = []
  const twice: string[] = []
  const relay = createRelay({
    ...quick,
    log: postgresLog({ client: database.pool({ max: 4 }) }),
    consumers: [
      consumer({
        name: 'reader',
        handle({ event }) {
          const change = event.data as Change
          if (read.has(event.id)) twice.push(event.id)
          read.set(event.id, change)
          if (change.version <= (lastVersion.get(change.key) ?? 0)) outOfOrder.push(change)
          lastVersion.set(change.key, change.version)
        },
      }),
    ],
  })
  relay.start()

  const naive = new Set<string>()
  let writing = true
  const readNaively = async (): Promise<void> => {
    let last = '0'
    let more = true
    while (writing || more) {
      const { rows } = await pool.query<{ seq: string; id: string }>(
        'select seq, id from oncekey.outbox where seq > $1 order by seq limit 500',
        [last],
      )
      for (const { id } of rows) naive.add(id)
      last = rows.at(-1)?.seq ?? last
      more = rows.length > 0
      await setTimeout(2)
    }
  }

  const committed = new Set<string>()
  const until = performance.now() + SECONDS * 1000
  const write = async (): Promise<void> => {
    while (performance.now() < until || committed.size < LEAST_EVENTS) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        // Two changes of one order wait for each other here, which fixes their order.
        const key = keys[Math.floor(Math.random() * keys.length)]
        const { rows } = await client.query<{ version: number }>(
          'update orders set version = version + 1 where id = $1 returning version',
          [key],
        )
        // Now and then a handler is slow.
        await setTimeout(Math.random() < 0.01 ? 1_500 : Math.random() * 5)
        const data = { key, version: rows[0]?.version }
        const orderingKey = String(key)
        const [event] = await append(client, { type: 'order.changed', orderingKey, data })
        await setTimeout(Math.random() * 5)
        if (Math.random() < 0.05) await client.query('rollback')
        else {
          await client.query('commit')
          committed.add(event?.id ?? '')
        }
      } finally {
        client.release()
      }
    }
  }
  const naiveReader = readNaively()
  await Promise.all(Array.from({ length: WRITERS }, write))
  writing = false
  await naiveReader
  await waitFor(() => [...committed].every((id) => read.has(id)), {
    what: 'every event to be read',
    timeoutMs: 30_000,
  })
  await relay.stop()

  expect([...read.keys()].filter((id) => !committed.has(id))).toEqual([])
  expect(twice).toEqual([])
  expect(outOfOrder).toEqual([])
  // If the naive cursor lost nothing, this test would prove nothing.
  const lost = [...committed].filter((id) => !naive.has(id))
  expect(lost.length).toBeGreaterThan(0)
})

test('a handler that takes two seconds holds up readers that wait for the oldest transaction, but not the log', async () => {
  const pool = database.pool({ max: 5 })
  const seen: string[] = []
  const relay = createRelay({
    ...quick,
    log: postgresLog({ client: pool }),
    consumers: [
      consumer({
        name: 'prompt',
        startAt: 'now',
        handle({ event }) {
          seen.push(String(event.subject))
        },
      }),
    ],
  })
  await relay.runOnce()
  const slow = await pool.connect()
  await slow.query('begin')
  await slow.query("insert into effects values ('slow', 'slow')")
  relay.start()
  await database.emit('while-it-runs')
  await waitFor(() => seen.includes('while-it-runs'), { what: 'the event' })
  const behindHorizon = () =>
    database.query<{ count: string }>(
      `select count(*) from oncekey.outbox where subject = 'while-it-runs'
         and xid < pg_snapshot_xmin(pg_current_snapshot())`,
    )
  expect(await behindHorizon()).toEqual([{ count: '0' }])
  await slow.query('commit')
  slow.release()
  // The horizon is that of the whole server, and other tests write there too.
  await waitFor(async () => (await behindHorizon())[0]?.count === '1', { what: 'the horizon' })
  await relay.stop()
})

test('an old open snapshot holds up no event', async () => {
  const pool = database.pool({ max: 5 })
  const seen = new Set<string>()
  const relay = createRelay({
    ...quick,
    log: postgresLog({ client: pool }),
    consumers: [
      consumer({
        name: 'unimpressed',
        startAt: 'now',
        handle({ event }) {
          seen.add(String(event.subject))
        },
      }),
    ],
  })
  await relay.runOnce()
  const old = await pool.connect()
  await old.query('begin isolation level repeatable read')
  await old.query('select count(*) from oncekey.outbox')
  relay.start()
  for (let round = 0; round < 50; round += 1) {
    await database.emit(`held-${round}`)
    await waitFor(() => seen.has(`held-${round}`), { what: 'the event', intervalMs: 1 })
  }
  await old.query('commit')
  old.release()
  await relay.stop()
})

// A bug: a session that had taken numbers in advance appended events below those that relays had
// read. Four of ten reached no consumer, and the lag was 0.
test('a log whose sessions take numbers in advance starts no consumer', async () => {
  const log = postgresLog({ client: database.pool() })
  const subscription = { consumer: 'careful', types: null, startAt: 'now' } as const
  await database.query('alter table oncekey.outbox alter column seq set cache 32')
  const refused = {
    code: 'store-not-migrated',
    message: expect.stringMatching(/alter column seq set cache 1.* from pg_stat_activity where/),
  }
  await expect(log.subscribe(subscription)).rejects.toMatchObject(refused)
  // A relay that runs already is told by its maintenance, which deletes nothing.
  await expect(log.maintain()).rejects.toMatchObject(refused)
  await database.query('alter table oncekey.outbox alter column seq set cache 1')
  await log.subscribe(subscription)
  await log.maintain()
})
