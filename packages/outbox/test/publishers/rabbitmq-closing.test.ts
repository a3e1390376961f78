import { setImmediate } from 'node:timers/promises'
import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { createRelay, type DeliveredEvent } from '@oncekey/outbox'
import { type AmqpConnection, amqplibConnection } from '@oncekey/outbox/amqplib'
import {
  type RabbitConnection,
  type RabbitEnvelope,
  rabbitmqPublisher,
} from '@oncekey/outbox/rabbitmq'
import { waitFor } from '@oncekey/test-servers'
import { Connection } from 'rabbitmq-client'
import { expect, test } from 'vitest'
import { oneSendEach } from '../../src/publishers/one-send-each.ts'

/** Runs a relay until the publisher has been given an event, stops it, and closes the publisher. */
async function closedWhileSending(
  connection: RabbitConnection,
  afterStop = async (): Promise<void> => {},
): Promise<void> {
  const log = memoryLog(memoryStore())
  await log.append([
    outboxEvent({ type: 'order.created' }, { source: '/', traceparent: undefined }),
  ])
  let isGiven = false
  const publisher = rabbitmqPublisher({
    name: 'rabbit',
    connection,
    exchange: 'shop',
    routingKey: ({ type }) => {
      isGiven = true
      return type
    },
  })
  const relay = createRelay({ log, minPollMs: 1, maxPollMs: 5, consumers: [publisher] })
  relay.start()
  await waitFor(() => isGiven, { what: 'an event to be sent' })
  await relay.stop({ timeoutMs: 0 })
  await afterStop()
  await publisher.close()
}

// A bug: `close` rejected when the client gave up the connection that it waited for, and where it
// was called for a SIGTERM nobody caught that.
test.each([
  ['gives up the connection', 200],
  ['waits for the connection for minutes', 600_000],
])(
  'a publisher that has never been connected closes, although its client %s',
  async (_, acquireTimeout) => {
    const connection = new Connection({ url: 'amqp://127.0.0.1:9', acquireTimeout })
    connection.on('error', () => {})
    try {
      await expect(closedWhileSending(connection)).resolves.toBeUndefined()
    } finally {
      connection.unsafeDestroy()
    }
  },
  25_000,
)

test('a publisher closes while a connection of amqplib opens for ever', async () => {
  const connection = amqplibConnection(() => new Promise(() => {}))
  await expect(closedWhileSending(connection)).resolves.toBeUndefined()
}, 25_000)

/** A connection that confirms everything. */
function confirming(close: () => Promise<void>) {
  const listeners: (() => void)[] = []
  const published: string[] = []
  const stream = { isDestroyed: false, destroy: () => (stream.isDestroyed = true) }
  const connection: AmqpConnection = {
    connection: { frameMax: 0, stream },
    on: () => {},
    close,
    createConfirmChannel: async () => ({
      publish(...[, key, , , confirmed]) {
        published.push(key)
        confirmed(null)
        return true
      },
      on(name: string, listener: (argument: never) => void) {
        if (name === 'close') listeners.push(listener as () => void)
      },
    }),
  }
  const closeChannel = (): void => {
    for (const listener of listeners) listener()
  }
  return { connection, stream, published, closeChannel }
}

const sent = { headers: {}, messageId: 'x', type: 'y', exchange: '', routingKey: 'z' }
const envelope = sent as Partial<RabbitEnvelope> as RabbitEnvelope

// A bug: an opening that failed, and a channel that closed, made the publisher leave the connection
// that it had then, whichever that was.
test('the end of an earlier connection leaves the present one in use', async () => {
  const opening: {
    readonly resolve: (connection: AmqpConnection) => void
    readonly reject: (error: Error) => void
  }[] = []
  const channel = amqplibConnection(
    () => new Promise((resolve, reject) => opening.push({ resolve, reject })),
  ).createPublisher({ confirm: true, maxAttempts: 1 })
  const begin = () => channel.send(envelope, Buffer.from('{}'))
  const abandoned = begin()
  void channel.close()
  const second = begin()
  const made = confirming(async () => {})
  opening[1]?.resolve(made.connection)
  await second
  opening[0]?.reject(new Error('refused'))
  await expect(abandoned).rejects.toThrow('refused')
  await begin()
  expect(opening).toHaveLength(2)

  await channel.close()
  const third = begin()
  opening[2]?.resolve(confirming(async () => {}).connection)
  await third
  made.closeChannel()
  await begin()
  expect(opening).toHaveLength(3)
})

test('a connection of amqplib that the broker does not close is broken off', async () => {
  const { connection, stream } = confirming(() => new Promise(() => {}))
  const channel = amqplibConnection(async () => connection).createPublisher({
    confirm: true,
    maxAttempts: 1,
  })
  await channel.send(envelope, Buffer.from('{}'))
  await channel.close()
  expect(stream.isDestroyed).toBe(true)
}, 25_000)

// A bug: what had waited for the connection was sent when that opened, although the relay had
// stopped, and another process might have sent it by then.
test('what waits for a connection of amqplib is not sent once the relay has stopped', async () => {
  const made = confirming(async () => {})
  let open = (): void => {}
  const opened = new Promise<AmqpConnection>((resolve) => {
    open = () => resolve(made.connection)
  })
  await closedWhileSending(
    amqplibConnection(() => opened),
    async () => {
      open()
      await setImmediate()
    },
  )
  expect(made.published).toEqual([])
}, 25_000)

test('but what an attempt that timed out has begun is sent for the one that waits for it', async () => {
  const once = oneSendEach()
  const [first, second] = [new AbortController(), new AbortController()]
  let isAwaited = (): boolean => false
  let end = (): void => {}
  const send = (asked: () => boolean): Promise<void> => {
    isAwaited = asked
    return new Promise((resolve) => {
      end = resolve
    })
  }
  const event = { id: 'e1' } as DeliveredEvent
  const begun = once('to', event, first.signal, send)
  expect(isAwaited()).toBe(true)
  first.abort()
  expect(isAwaited()).toBe(false)
  // Attempts of one event follow each other: this one joins a send that nobody waits for.
  const joined = once('to', event, second.signal, send)
  expect(isAwaited()).toBe(true)
  second.abort()
  expect(isAwaited()).toBe(false)
  end()
  await Promise.all([begun, joined])
})
