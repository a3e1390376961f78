import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { deadLetters } from '@oncekey/outbox'
import { natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog, transact } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { distinct, emitNumbered, expectAllInOrder, impatient, relaying } from './broker-stream.ts'
import { connected, freshStream, nats, pool, removals } from './nats-streams.ts'

test('loses no event and keeps the order when the server is killed mid-stream and returns later', async () => {
  const own = await nats.own()
  const stream = await freshStream({}, own.url)
  const keys = Array.from({ length: 20 }, (_, at) => `${stream.name}-k${at}`)
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 1_000,
    name: stream.name,
    jetstream: jetstream(await connected(own.url)),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 10)
    await waitFor(async () => (await stream.count()) > 50, { what: 'some to be there' })
    await own.crash()
    await emitNumbered(pool, keys, 10, 10)
    await own.restart()
    await waitFor(async () => distinct(await stream.numbered()) === 400, {
      what: 'all events',
      timeoutMs: 40_000,
      intervalMs: 250,
    })
  })
  const all = await stream.numbered()
  expectAllInOrder(all, keys, 20)
  // Messages sent again had the same id, so the stream's duplicate window dropped them.
  expect(all).toHaveLength(400)
})

test('resends an event whose acknowledgement is lost under the same id, and the stream drops it', async () => {
  const stream = await freshStream()
  const proxy = await startProxy(nats.address())
  try {
    const js = jetstream(await connected(proxy.through(nats.url())))
    const duplicates: boolean[] = []
    const publisher = natsPublisher<PoolClient>({
      ...impatient,
      attemptTimeoutMs: 500,
      name: stream.name,
      jetstream: {
        jetstreamManager: (check) => js.jetstreamManager(check),
        async publish(...message) {
          const ack = await js.publish(...message)
          duplicates.push(ack.duplicate)
          return ack
        },
      },
      subject: ({ type }) => `${stream.name}.${type}`,
    })
    await relaying(pool, [publisher], async () => {
      const lost = proxy.dropAfter(`${stream.name}.order.numbered`)
      await emitNumbered(pool, [stream.name], 1)
      await lost
      await emitNumbered(pool, [stream.name], 4, 1)
      await waitFor(async () => (await stream.count()) === 5, {
        what: 'all five',
        timeoutMs: 30_000,
      })
    })
    expectAllInOrder(await stream.numbered(), [stream.name], 5)
    expect(await stream.count()).toBe(5)
    expect(duplicates.filter(Boolean)).not.toEqual([])
  } finally {
    await proxy.stop()
  }
})

test.each([
  ['the subject is invalid,', () => 'a..b c', '{}', 'PermanentError'],
  [
    'the message is larger than the stream takes,',
    (name: string) => `${name}.x`,
    'x'.repeat(3_000),
    'JetStreamApiError',
  ],
  [
    'the message is larger than the server takes,',
    (name: string) => `${name}.x`,
    'x'.repeat(1_100_000),
    'InvalidArgumentError',
  ],
])('when %s the event becomes a dead letter at once', async (_, subject, data, error) => {
  const stream = await freshStream({ max_msg_size: 2_000 })
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: () => subject(stream.name),
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_tx, emit) => emit({ type: 'order.large', data }))
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: stream.name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letter).toMatchObject({ attempts: 1, error: { name: error } })
})

test('a stream created after its events were emitted gets them without a redrive', async () => {
  const stream = await freshStream()
  const late = `${stream.name}-late`
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: ({ type, subject }) =>
      type === 'order.late' ? `${late}.${subject}` : `${stream.name}.x`,
  })
  const manager = await jetstreamManager(await connected())
  const letters = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (let n = 0; n < 150; n += 1) emit({ type: 'order.late', subject: String(n) })
    })
    // No other event waits behind these.
    await emitNumbered(pool, ['a'], 5)
    await waitFor(async () => (await stream.count()) === 5, { what: 'those of the other stream' })
    await manager.streams.add({ name: late, subjects: [`${late}.>`] })
    removals.push(() => manager.streams.delete(late))
    await waitFor(async () => (await manager.streams.info(late)).state.messages === 150, {
      what: 'those that were early',
      timeoutMs: 30_000,
    })
    return deadLetters(postgresLog({ client: pool }).deadLetters).list({ origin: stream.name })
  })
  expect(letters.items).toEqual([])
})

test('events on a subject that no stream takes for longer than missingForMs become dead letters', async () => {
  const stream = await freshStream()
  const publisher = natsPublisher<PoolClient>({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: () => `nobody.${stream.name}`,
    missingForMs: 100,
  })
  const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
  const [letter] = await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => emit({ type: 'order.lost' }))
    return waitFor(
      async () => {
        const { items } = await dead.list({ origin: stream.name })
        return items.length > 0 && items
      },
      { what: 'the dead letter' },
    )
  })
  expect(letter).toMatchObject({
    reason: 'permanent',
    error: { name: 'PermanentError', message: expect.stringContaining('No stream takes') },
  })
  expect(letter?.attempts).toBeGreaterThan(1)
})
