import { actTarget } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { postgresConsumers, postgresLog, postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()
const by = { actor: 'maria@shop.example', note: 'the bank is down' }
const relays: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()))
})

function relayOf(name: string, handle: (subject: string | null) => void) {
  const log = postgresLog({ client: database.pool() })
  const made = createRelay<PoolClient>({
    ...quick,
    log,
    consumers: [
      consumer<PoolClient>({
        name,
        startAt: 'now',
        backoff: () => 5,
        // More than a slow machine makes while a test waits: a dead letter gets no other attempt.
        maxAttempts: 100_000,
        handle: ({ event }) => handle(event.subject),
      }),
    ],
  })
  relays.push(made)
  return made
}

const consumers = () => postgresConsumers({ client: database.pool() })
const found = async (name: string) =>
  (await consumers().list()).find((consumer) => consumer.name === name)

test('a paused consumer is started by no relay, and goes on when it is resumed', async () => {
  const name = 'paused'
  const seen: (string | null)[] = []
  const running = [relayOf(name, (subject) => seen.push(subject))]
  running[0]?.start()
  await waitFor(async () => (await found(name))?.heldSlots === 64, { what: 'the slots' })
  await database.emit('before')
  await waitFor(() => seen.length === 1, { what: 'the event before' })

  expect(await consumers().pause(name, by)).toBe('paused')
  expect(await consumers().pause(name, { actor: 'somebody else' })).toBe('already')
  expect((await found(name))?.pause).toMatchObject({ by: by.actor, note: by.note })
  // Starts one more relay during the pause, and waits until the two share the slots.
  running.push(relayOf(name, (subject) => seen.push(subject)))
  running[1]?.start()
  await waitFor(async () => (await found(name))?.holders.every(({ slots }) => slots === 32), {
    timeoutMs: 30_000,
    intervalMs: 100,
    what: 'the slots to be shared out, which takes longer than a poll',
  })
  await database.emit('meanwhile-1', 'meanwhile-2')
  await relayOf(name, (subject) => seen.push(subject)).runOnce()
  expect(seen).toEqual(['before'])
  expect((await postgresLog({ client: database.pool() }).lag(name)).events).toBe(2)

  expect(await consumers().resume(name, by)).toBe('resumed')
  expect(await consumers().resume(name, by)).toBe('already')
  await waitFor(() => seen.length === 3, { what: 'the events that waited' })
  expect((await found(name))?.pause).toBeNull()
  const { operations } = postgresStore({ client: database.pool() })
  const trail = await operations?.list({ target: actTarget('consumer', name) }, { limit: 10 })
  expect(trail?.items.map(({ act, actor }) => [act, actor])).toEqual([
    ['consumers.resume', by.actor],
    ['consumers.pause', by.actor],
  ])
})

test('retries of a paused consumer wait as well', async () => {
  const name = 'retrying'
  let attempts = 0
  relayOf(name, () => {
    attempts += 1
    throw new Error('not yet')
  }).start()
  await waitFor(async () => (await found(name))?.heldSlots === 64, { what: 'the slots' })
  await database.emit('one')
  await waitFor(() => attempts > 2, { what: 'some attempts' })
  await consumers().pause(name, by)
  let last = -1
  await waitFor(
    () => {
      const isStill = last === attempts
      last = attempts
      return isStill
    },
    { what: 'the attempts to end', intervalMs: 200 },
  )
  const { error } = await found(name).then((each) => ({ error: each?.lastError }))
  expect(error ?? { message: 'not yet' }).toMatchObject({ message: 'not yet' })
  await consumers().resume(name, by)
  await waitFor(() => attempts > last, { what: 'another attempt' })
})

test('relays report what they do and the newest failure', async () => {
  const name = 'reported'
  relayOf(name, () => {
    throw new Error('no such address')
  }).start()
  await waitFor(async () => (await found(name))?.heldSlots === 64, { what: 'the slots' })
  await database.emit('one')
  await waitFor(async () => ((await found(name))?.perSecond ?? 0) > 0, { what: 'a report' })
  expect((await found(name))?.lastError).toMatchObject({ message: 'no such address' })
})

// A bug: the list used the time in the slot's row, which is written when a slot is taken and is
// never renewed.
test('slots of an idle relay are listed as held for as long as it runs', async () => {
  const name = 'idle'
  relayOf(name, () => {}).start()
  await waitFor(async () => (await found(name))?.heldSlots === 64, { what: 'the slots' })
  const stillTaken = `select count(*) from oncekey.cursors
    where consumer = 'idle' and lease_until > clock_timestamp()`
  await waitFor(
    async () => (await database.query<{ count: string }>(stillTaken))[0]?.count === '0',
    { what: 'the times in the slots to pass' },
  )
  expect(await found(name)).toMatchObject({ heldSlots: 64, holders: [{ slots: 64 }] })
  const lag = 'select held_slots from oncekey.consumer_lag where consumer = $1'
  expect(await database.query(lag, [name])).toEqual([{ held_slots: '64' }])
})

test('a consumer that nobody knows is not paused', async () => {
  expect(await consumers().pause('nobody', by)).toBe('unknown')
  expect(await consumers().resume('nobody', by)).toBe('unknown')
})
