import { consumer, createRelay } from '@oncekey/outbox'
import { postgresLog, transact } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

/** A consumer whose transactions take 150 ms. */
function slow(name: string, tried: (attempt: number) => void = () => {}) {
  return consumer<PoolClient>({
    name,
    startAt: 'now',
    backoff: () => 5,
    concurrency: 20,
    maxAttempts: 3,
    attemptTimeoutMs: 600,
    async handle({ event, transaction, attempt }) {
      const tx = await transaction()
      tried(attempt)
      await tx.query('select pg_sleep(0.15)')
      await tx.query('insert into effects values ($1, $2)', [name, event.subject])
    },
  })
}

// A bug: the wait for a transaction used up the time of the attempt. With a backlog, each
// transaction came to the attempt that had waited longest and had the least time left. So every
// attempt was cut off in the middle of its work, and the events became dead letters.
test('with many more attempts than transactions, every event takes effect', async () => {
  const name = 'crowded'
  const subjects = Array.from({ length: 60 }, (_, at) => `order-${at}`)
  const log = postgresLog({ client: database.pool(), maxTransactions: 2 })
  let tries = 0
  const consumers = [slow(name, () => (tries += 1))]
  const relay = createRelay<PoolClient>({ ...quick, log, consumers })
  const dead = () => log.deadLetters.count({ origin: name })
  await relay.runOnce()
  relay.start()
  try {
    await database.emit(...subjects)
    const isOver = async () =>
      Object.keys(await database.effects(name)).length + (await dead()) === subjects.length
    await waitFor(isOver, { what: 'the end of all', timeoutMs: 60_000 })
  } finally {
    await relay.stop()
  }
  expect(await dead()).toBe(0)
  const once = Object.fromEntries(subjects.map((subject) => [subject, 1]))
  expect(await database.effects(name)).toEqual(once)
  expect(tries).toBe(subjects.length)
}, 90_000)

// A bug: transactions came to whoever had waited longest, so a consumer with a backlog kept another
// from getting any in its time, for as long as the backlog lasted.
test('a consumer with a backlog does not keep another from getting a transaction', async () => {
  const subjects = Array.from({ length: 60 }, (_, at) => `order-${at}`)
  const log = postgresLog({ client: database.pool(), maxTransactions: 2 })
  const quickly = consumer<PoolClient>({
    name: 'quickly',
    types: ['order.paid'],
    startAt: 'now',
    backoff: () => 5,
    attemptTimeoutMs: 400,
    async handle({ event, transaction }) {
      const tx = await transaction()
      await tx.query('insert into effects values ($1, $2)', ['quickly', event.subject])
    },
  })
  const behind = slow('behind')
  const relay = createRelay<PoolClient>({ ...quick, log, consumers: [behind, quickly] })
  const taken = async (name: string) => Object.keys(await database.effects(name)).length
  await relay.runOnce()
  relay.start()
  try {
    await database.emit(...subjects)
    await waitFor(async () => (await taken('behind')) > 2, { what: 'the backlog to be begun' })
    await transact(database.pool(), (_, emit) => emit({ type: 'order.paid', subject: 'one' }))
    await waitFor(async () => (await taken('quickly')) > 0, { what: 'its turn' })
    expect(await taken('behind')).toBeLessThan(subjects.length - 20)
  } finally {
    await relay.stop({ timeoutMs: 0 })
  }
})
