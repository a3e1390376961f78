import { jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { deadLetters } from '@oncekey/outbox'
import { type NatsJetStream, natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog, transact } from '@oncekey/postgres'
import { startNats, waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { emitNumbered, impatient, relaying } from './broker-stream.ts'
import { connected, freshStream, pool } from './nats-streams.ts'

/** Publishes as `js` does, but the first acknowledgement of each message is lost. */
function losingFirst(js: NatsJetStream): NatsJetStream {
  const sent = new Set<string>()
  return {
    async publish(...message) {
      const reply = await js.publish(...message)
      const { msgID } = message[2]
      if (sent.has(msgID)) return reply
      sent.add(msgID)
      throw new Error('The acknowledgement was lost.')
    },
    jetstreamManager: (check) => js.jetstreamManager(check),
  }
}

/** What a publisher has on file: `retrying` or dead. */
const filed = async (name: string) =>
  (
    await pool.query<{ state: string; error_message: string }>(
      'select state, error_message from oncekey.deliveries where consumer = $1',
      [name],
    )
  ).rows

const isDone = async (name: string) =>
  (await postgresLog({ client: pool }).lag(name)).events === 0 && (await filed(name)).length === 0

// A bug: a stream with the retention `interest` that has no consumer says of a message that it has
// had before that it is a duplicate, with the number 0. That counted as the reply of somebody who
// is no stream, so the event was sent again until the duplicate window was over.
test('a stream without consumers acknowledges what was sent again', async () => {
  const stream = await freshStream({ retention: RetentionPolicy.Interest })
  const publisher = natsPublisher({
    ...impatient,
    name: stream.name,
    jetstream: losingFirst(jetstream(await connected())),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, ['a key'], 3)
    await waitFor(() => isDone(stream.name), { what: 'all three to be done' })
  })
})

/** What a user gets who may not ask about streams. */
const unasked: NatsJetStream['jetstreamManager'] = async () => {
  throw Object.assign(new Error('no permission'), { name: 'PermissionViolationError' })
}

// A bug: the leader of a stream in a cluster replies so to what it has not confirmed yet (NATS
// before 2.10.20). The event counted as stored. If another server became the leader, no stream had
// it. The stand-in drops the message that it has replied to.
test.each([
  ['the stream keeps everything', undefined],
  ['nobody may ask what the stream keeps', unasked],
])('a duplicate without a number is sent again if %s', async (_, jetstreamManager) => {
  const stream = await freshStream()
  const js = jetstream(await connected())
  let replies = 0
  const publisher = natsPublisher({
    ...impatient,
    name: stream.name,
    jetstream: {
      async publish(...message) {
        replies += 1
        if (replies > 1) return js.publish(...message)
        return { stream: stream.name, seq: 0, duplicate: true }
      },
      jetstreamManager: jetstreamManager ?? ((check) => js.jetstreamManager(check)),
    },
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, ['a key'], 1)
    await waitFor(async () => replies > 0 && (await isDone(stream.name)), { what: 'an outcome' })
  })
  expect(await stream.count()).toBe(1)
})

// A bug: the publisher compared the subject under which the stream keeps a message with that on
// which it had published. A server that maps subjects changes it, so each event whose
// acknowledgement was lost became a dead letter, although the stream had it.
test('a server that maps subjects does not make dead letters of what was sent again', async () => {
  const server = await startNats({
    config: 'mappings = { "shop.*.*": "store.{{wildcard(1)}}.{{wildcard(2)}}" }',
  })
  const connection = await connect({ servers: server.url })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: 'store', subjects: ['store.>'] })
  const publisher = natsPublisher({
    ...impatient,
    name: 'mapped',
    jetstream: losingFirst(jetstream(connection)),
    subject: ({ type }) => `shop.${type}`,
  })
  try {
    await relaying(pool, [publisher], async () => {
      await emitNumbered(pool, ['a key'], 3)
      await waitFor(
        async () =>
          (await isDone('mapped')) || (await filed('mapped')).some((it) => it.state === 'dead'),
        { what: 'all three to be done' },
      )
    })
    const { items } = await deadLetters(postgresLog({ client: pool }).deadLetters).list({
      origin: 'mapped',
    })
    expect(items).toEqual([])
    expect((await manager.streams.info('store')).state.messages).toBe(3)
  } finally {
    await connection.close()
    await server.stop()
  }
})

// Of a server that took any header ending in `Nats-Msg-Id` for its own (2.9.7 and older).
test('a header of an event that ends like the message id drops no message', async () => {
  const stream = await freshStream()
  const publisher = natsPublisher({
    ...impatient,
    name: stream.name,
    jetstream: jetstream(await connected()),
    subject: ({ type }) => `${stream.name}.${type}`,
  })
  await relaying(pool, [publisher], async () => {
    await transact(pool, (_, emit) => {
      for (const n of [1, 2]) {
        emit({ type: 'order.created', data: { n }, headers: { 'Original-Nats-Msg-Id': 'same' } })
      }
    })
    await waitFor(async () => (await stream.count()) === 2, { what: 'both' })
  })
})
