import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type GivenOrOwn, givenOrOwn, type NatsServer, startNats } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import type { Numbered } from './broker-stream.ts'

const database = logDatabase()
export let pool: Pool
export let nats: GivenOrOwn<NatsServer>
const connections: NatsConnection[] = []

/** Streams to delete afterwards, so that a server given to the tests is left as it was. */
export const removals: (() => Promise<unknown>)[] = []

let names = 0

beforeAll(async () => {
  pool = database.pool()
  nats = await givenOrOwn('NATS_URL', startNats)
})

afterEach(async () => {
  await Promise.all(removals.splice(0).map((remove) => remove()))
  await Promise.all(connections.splice(0).map((connection) => connection.close()))
})

afterAll(() => nats?.stop())

export async function connected(url = nats.url()): Promise<NatsConnection> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  connections.push(connection)
  return connection
}

/** Creates a stream for one test, and reads what is in it. */
export async function freshStream(settings: object = {}, url = nats.url()) {
  names += 1
  const name = `oncekey-${process.pid}-${names}`
  const manager = await jetstreamManager(await connected(url))
  await manager.streams.add({ name, subjects: [`${name}.>`], ...settings })
  removals.push(() => manager.streams.delete(name))
  const messages = async () => {
    const { state } = await manager.streams.info(name)
    const found = []
    for (let seq = 1; seq <= state.last_seq; seq += 1) {
      const message = await manager.streams.getMessage(name, { seq })
      if (message) found.push(message)
    }
    return found
  }
  const numbered = async (): Promise<Numbered[]> =>
    (await messages()).map((message) => ({
      ...message.json<{ key: string; n: number }>(),
      id: message.header.get('ce-id'),
    }))
  const count = async () => (await manager.streams.info(name)).state.messages
  return { name, messages, numbered, count }
}
