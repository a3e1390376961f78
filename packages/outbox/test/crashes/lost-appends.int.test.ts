import { randomUUID } from 'node:crypto'
import { type EventLog, type OutboxEvent, outboxEvent } from '@oncekey/core'
import { createEventBus } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, type TcpProxy } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'

const database = logDatabase()
const eventOf = (subject: string): OutboxEvent =>
  outboxEvent({ type: 'order.created', subject }, { source: '/', traceparent: undefined })
const proxies: TcpProxy[] = []
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
})

async function through(): Promise<{ proxy: TcpProxy; log: EventLog<PoolClient> }> {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  proxies.push(proxy)
  const pool = database.pool({ connectionString: proxy.through(database.url()), max: 2 })
  return { proxy, log: postgresLog({ client: pool }) as EventLog<PoolClient> }
}

const countOf = async (subject: string): Promise<number> =>
  (await database.query('select from oncekey.outbox where subject = $1', [subject])).length

// A bug: an event that was committed counted as one that the database could not be asked for, and
// was published again under another id.
describe('an append whose reply is lost', () => {
  test.each([undefined, randomUUID()])(
    'has an unknown outcome, with the requestId %s',
    async (requestId) => {
      const { proxy, log } = await through()
      const subject = randomUUID()
      const events = [eventOf(subject)]
      const options = requestId === undefined ? {} : { requestId }
      const lost = proxy.dropAfter(requestId === undefined ? 'append_events_2' : 'emit_once')
      await expect(log.append(events, options)).rejects.toMatchObject({ code: 'commit-failed' })
      await lost
      await log.append(events, options)
      expect(await countOf(subject)).toBe(requestId === undefined ? 2 : 1)
    },
  )

  test('is sent again by a bus, and is there once', async () => {
    const { proxy, log } = await through()
    const subject = randomUUID()
    const lost = proxy.dropAfter('emit_once')
    await createEventBus({ log }).publish({ type: 'order.created', subject })
    await lost
    expect(await countOf(subject)).toBe(1)
  })
})

test('an append that never reached the server could not be made', async () => {
  const { proxy, log } = await through()
  proxy.refuse()
  await expect(log.append([eventOf('nobody')])).rejects.toMatchObject({ code: 'store-unavailable' })
})

// A role of earlier releases, which may append and not write to the inbox.
test('a role without the inbox appends what has a requestId, and never twice', async () => {
  const role = `appender_${randomUUID().replaceAll('-', '')}`
  await database.query(`create role ${role} login password 'p'`)
  await database.query(`grant usage on schema oncekey to ${role}`)
  await database.query(`grant insert on oncekey.outbox to ${role}`)
  try {
    const url = new URL(database.url())
    url.username = role
    url.password = 'p'
    const proxy = await startProxy(Number(url.port))
    proxies.push(proxy)
    const pool = database.pool({ connectionString: proxy.through(url.href), max: 1 })
    const log = postgresLog({ client: pool })
    const [kept, unknown] = [randomUUID(), randomUUID()]
    await log.append([eventOf(kept)], { requestId: kept })
    expect(await countOf(kept)).toBe(1)
    // A bug: nothing told the second from the first, and a bus sends again what has no answer.
    const lost = proxy.dropAfter('append_events_2')
    for (let times = 0; times < 2; times += 1) {
      const sent = log.append([eventOf(unknown)], { requestId: unknown })
      await expect(sent).rejects.toMatchObject({ code: 'commit-failed' })
    }
    await lost
    expect(await countOf(unknown)).toBe(1)
    await pool.end()
  } finally {
    await database.query(`drop owned by ${role}`)
    await database.query(`drop role ${role}`)
  }
})
