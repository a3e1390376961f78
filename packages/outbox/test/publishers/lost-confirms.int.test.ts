import { once } from 'node:events'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { type RabbitConnection, rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { waitFor } from '@oncekey/test-servers'
import { connect } from 'amqplib'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { allConfirmed, distinct, emitNumbered, impatient, relaying } from './broker-stream.ts'
import { connected, freshExchange, pool, rabbit } from './rabbit-exchanges.ts'

const clients: Record<string, (url: string) => RabbitConnection> = {
  'rabbitmq-client': (url) => connected(url),
  amqplib: (url) => amqplibConnection(() => connect(url)),
}

// A bug: each attempt waited for the first one's confirm. A broker can lose one, and the event then
// waited for the connection to break.
test.each(Object.keys(clients))(
  'an event whose confirm was lost is sent again while others are confirmed, with %s',
  async (client) => {
    const { name, numbered } = await freshExchange()
    const proxy = await losingConfirms(rabbit.address())
    try {
      const publisher = rabbitmqPublisher<PoolClient>({
        ...impatient,
        attemptTimeoutMs: 300,
        name,
        connection: (clients[client] as (url: string) => RabbitConnection)(
          proxy.through(rabbit.url()),
        ),
        exchange: name,
      })
      await relaying(pool, [publisher], async () => {
        await emitNumbered(pool, ['first'], 1)
        await waitFor(() => numbered().length === 1, { what: 'the first' })
        await allConfirmed(pool, name)
        const lost = proxy.loseNext()
        await emitNumbered(pool, ['stuck'], 1)
        await lost
        // Behind it comes one of its key, and others go on.
        await emitNumbered(pool, ['stuck'], 1, 1)
        let n = 0
        const isThere = () => numbered().some((each) => each.key === 'stuck' && each.n === 1)
        const until = performance.now() + 30_000
        while (!isThere() && performance.now() < until) {
          await emitNumbered(pool, ['other'], 1, n)
          n += 1
          await sleep(50)
        }
        expect(isThere()).toBe(true)
        await allConfirmed(pool, name)
        expect(distinct(numbered())).toBe(3 + n)
      })
      await publisher.close()
    } finally {
      await proxy.stop()
    }
  },
  90_000,
)

/** A proxy in front of RabbitMQ that can lose a confirm of the broker, and nothing else. */
async function losingConfirms(target: { host: string; port: number }) {
  let losing: (() => void) | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const broker = connectTo(target)
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('close', () => broker.destroy())
    broker.on('close', () => client.destroy())
    client.pipe(broker)
    let rest = Buffer.alloc(0)
    broker.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      for (let frame = firstFrame(rest); frame !== undefined; frame = firstFrame(rest)) {
        rest = rest.subarray(frame.length)
        if (losing !== undefined && isConfirm(frame)) {
          losing()
          losing = undefined
        } else client.write(frame)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    through(url: string): string {
      const other = new URL(url)
      other.hostname = '127.0.0.1'
      other.port = String(port)
      return other.href
    },
    /** Resolves when the broker's next confirm was lost. */
    loseNext: () =>
      new Promise<void>((resolve) => {
        losing = resolve
      }),
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A frame has its type, its channel, its length in four bytes, as many bytes, and an end byte. */
function firstFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 7) return undefined
  const length = 8 + bytes.readUInt32BE(3)
  return bytes.length < length ? undefined : bytes.subarray(0, length)
}

/** Whether a frame is `basic.ack`. */
function isConfirm(frame: Buffer): boolean {
  return frame[0] === 1 && frame.readUInt16BE(7) === 60 && frame.readUInt16BE(9) === 80
}
