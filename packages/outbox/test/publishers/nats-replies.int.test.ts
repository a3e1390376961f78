import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog } from '@oncekey/postgres'
import { startNats, startProxy, waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { emitNumbered, impatient, relaying } from './broker-stream.ts'
import { connected, freshStream, pool } from './nats-streams.ts'

const filed = async (consumer: string) =>
  (
    await pool.query<{ state: string; error_message: string }>(
      'select state, error_message from oncekey.deliveries where consumer = $1',
      [consumer],
    )
  ).rows

// A bug: the client takes any JSON object for the acknowledgement of a stream. A service that
// replied on the subject made the event done, although no stream had it.
test.each(['{}', '{"ok":true}', '{"stream":"orders"}', '{"stream":"","seq":1}'])(
  'a reply %s of somebody who is no stream is no acknowledgement',
  async (reply) => {
    const name = `replies-${Buffer.from(reply).toString('hex')}`
    const service = await connected()
    let asked = 0
    const replying = service.subscribe(`${name}.>`, {
      callback(_, message) {
        asked += 1
        message.respond(reply)
      },
    })
    await service.flush()
    const broker = natsPublisher({
      ...impatient,
      name,
      jetstream: jetstream(await connected()),
      subject: ({ type }) => `${name}.${type}`,
    })
    await relaying(pool, [broker], async () => {
      await emitNumbered(pool, ['a key'], 1)
      await waitFor(() => asked > 1, { what: 'the event to be sent again' })
      expect(await filed(name)).toMatchObject([{ state: 'retrying' }])
      replying.unsubscribe()
      const stream = await freshStream({ subjects: [`${name}.>`] })
      await waitFor(async () => (await stream.count()) === 1, { what: 'a stream to have it' })
      await waitFor(async () => (await filed(name)).length === 0, { what: 'the event to be done' })
    })
  },
)

// A bug: each message that was sent again was a duplicate, about which the publisher asked the
// server in vain. Its ordering key stood still until the duplicate window was over, and then the
// stream stored the event a second time.
test('a user who may only publish gets over a lost acknowledgement', async () => {
  const server = await startNats({
    config: `
      authorization {
        users: [
          { user: admin, password: a }
          { user: publisher, password: p, permissions: { publish: ["shop.>"], subscribe: ["_INBOX.>"] } }
        ]
      }`,
  })
  const admin = await connect({ servers: server.url, user: 'admin', pass: 'a' })
  const manager = await jetstreamManager(admin)
  await manager.streams.add({ name: 'shop', subjects: ['shop.>'] })
  const proxy = await startProxy(server.port)
  const connection = await connect({
    servers: `127.0.0.1:${proxy.port}`,
    user: 'publisher',
    pass: 'p',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  const broker = natsPublisher({
    ...impatient,
    name: 'least-rights',
    jetstream: jetstream(connection),
    subject: ({ type }) => `shop.${type}`,
  })
  try {
    await relaying(pool, [broker], async () => {
      const lost = proxy.dropAfter('shop.order.numbered')
      await emitNumbered(pool, ['a key'], 3)
      await lost
      await waitFor(
        async () =>
          (await manager.streams.info('shop')).state.messages === 3 &&
          (await postgresLog({ client: pool }).lag('least-rights')).events === 0 &&
          (await filed('least-rights')).length === 0,
        { what: 'all three to be done' },
      )
    })
  } finally {
    await Promise.all([connection.close(), admin.close()])
    await proxy.stop()
    await server.stop()
  }
})
