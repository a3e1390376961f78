import { readFileSync } from 'node:fs'
import { describeLog } from '@oncekey/conformance'
import { type EventLog, outboxEvent, type TakenSlot } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { moveClock } from '../servers/log-clock.ts'

let server: RedisServer
let admin: Redis
const clients: Redis[] = []
beforeAll(async () => {
  server = await startRedis()
  admin = new Redis(server.url)
})
beforeEach(() => admin.flushall())
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, permissions = ''] = readme.split('## Permissions')
const listed = permissions.match(/(?<=[`\s])\+[a-z]+/g) ?? []

async function connectedAs(...rules: string[]): Promise<Redis> {
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', '~oncekey:*', ...rules)
  return connected()
}

function connected(): Redis {
  const as = { username: 'app', password: 'pw', enableReadyCheck: false }
  const client = new Redis(server.url, as)
  clients.push(client)
  return client
}

const eventOf = (subject: string) =>
  outboxEvent({ type: 'order.created', subject }, { source: '/shop', traceparent: undefined })

async function taken(log: EventLog<never>): Promise<readonly TakenSlot[]> {
  const asked = { consumer: 'shipping', relay: 'it', leaseMs: 60_000, holding: [] }
  return (await log.lease(asked)).taken
}

describeLog<never>({
  name: 'redis, as a user with the permissions in the README',
  create: async () => {
    const log = redisLog({ client: await connectedAs(...listed) })
    return {
      log,
      another: () => redisLog({ client: connected() }),
      advance: (ms) => moveClock([admin], ms),
      close: () => {},
    }
  },
})

test('a user with the permissions in the README can list what is retrying for all consumers', async () => {
  const log = redisLog({ client: await connectedAs(...listed) })
  expect(await log.deadLetters.listRetrying({}, { limit: 1 })).toEqual({ items: [] })
})

describe('a user without permission for', () => {
  // A bug: the refusal was mistaken for an empty stream, and all cursors started again from the
  // beginning with every lease.
  test('XINFO leases no slot, and the error says why', async () => {
    const log = redisLog({ client: await connectedAs(...listed) })
    await log.append([eventOf('passed')])
    await log.subscribe({ consumer: 'shipping', types: null, startAt: 'beginning' })
    await connectedAs(...listed, '-xinfo')
    await expect(taken(log)).rejects.toThrow(/its user may not use a command/)
    await connectedAs(...listed)
    expect(await taken(log)).toHaveLength(64)
  })

  test.each(['HINCRBY', 'HEXISTS', 'ZADD'])(
    '%s: what failed is not passed without being on file',
    async (command) => {
      const log = redisLog({ client: await connectedAs(...listed) })
      await log.append([eventOf('failing')])
      await log.subscribe({ consumer: 'shipping', types: null, startAt: 'beginning' })
      const held = await taken(log)
      const read = { consumer: 'shipping', types: null, limit: 10 }
      const { events } = await log.read({ ...read, slots: held })
      const [event] = events
      const slot = held.find((each) => each.slot === event?.slot)
      if (event === undefined || slot === undefined) throw new Error('The event was not read')
      const failed = [{ event, verdict: { kind: 'retrying', delayMs: 0 }, attempt: null }] as const
      const move = { ...slot, position: event.position, calm: false, failed }
      await connectedAs(...listed, `-${command.toLowerCase()}`)
      await expect(log.advance({ consumer: 'shipping', slots: [move] })).rejects.toThrow()
      await connectedAs(...listed)
      await log.release({ consumer: 'shipping', relay: 'it', slots: held, leaving: true })
      const again = await log.read({ ...read, slots: await taken(log) })
      expect(again.events.map(({ subject }) => subject)).toEqual(['failing'])
    },
  )
})

test('warns about a server that evicts keys, even if that is configured while relays run', async () => {
  const warnings: string[] = []
  const listener = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', listener)
  try {
    const log = redisLog({ client: admin })
    await log.subscribe({ consumer: 'shipping', types: null, startAt: 'beginning' })
    await admin.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru')
    await log.maintain()
    await log.maintain()
    await waitFor(() => warnings.length > 0, { what: 'the warning' })
  } finally {
    process.off('warning', listener)
    await admin.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
  }
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('with a stream the events in it are evicted')
})
