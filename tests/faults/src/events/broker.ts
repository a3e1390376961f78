import { setTimeout as sleep } from 'node:timers/promises'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { startNats, waitFor } from '@oncekey/test-servers'
import type { Random } from '../random.ts'
import { noteTaken } from './delivery-ledger.ts'

/** A NATS server with a stream that keeps every message until the end of the campaign. */
export interface Broker {
  readonly url: string
  readonly faults: Readonly<Record<string, (random: Random) => Promise<void>>>
  /** Records every message of the stream, in order. */
  noteAll(ledger: string): Promise<void>
  stop(): Promise<void>
}

export async function startBroker(): Promise<Broker> {
  const server = await startNats()
  await using(server.url, async (connection) => {
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: STREAM, subjects: [`${SUBJECT}.>`] })
  })
  return {
    url: server.url,
    faults: {
      async 'broker restarted'(random) {
        await server.crash()
        await sleep(random.between(0, 2_000))
        await server.restart()
      },
    },
    noteAll: (ledger) =>
      waitFor(() => using(server.url, (connection) => note(connection, ledger)), {
        what: 'what the broker has',
        timeoutMs: 120_000,
        intervalMs: 500,
      }).then(() => {}),
    stop: server.stop,
  }
}

/** Records all messages at once, so that an interrupted read does not record messages twice. */
async function note(connection: NatsConnection, ledger: string): Promise<boolean> {
  const manager = await jetstreamManager(connection)
  const { state } = await manager.streams.info(STREAM)
  const { name } = await manager.consumers.add(STREAM, { ack_policy: AckPolicy.None })
  const consumer = await jetstream(connection).consumers.get(STREAM, name)
  const ids: string[] = []
  while (ids.length < state.messages) {
    const wanted = Math.min(500, state.messages - ids.length)
    for await (const message of await consumer.fetch({ max_messages: wanted, expires: 10_000 })) {
      ids.push(message.headers?.get('ce-id') ?? '')
    }
  }
  noteTaken(
    ledger,
    ids.map((id) => ({ consumer: 'nats', id, relay: 'broker' })),
  )
  return true
}

async function using<T>(
  servers: string,
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect({ servers })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

export const SUBJECT = 'campaign'
const STREAM = 'campaign'
