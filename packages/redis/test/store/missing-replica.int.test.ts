import { redisLog, redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimOf, completionOf, errorOf, kindOf, retryOf, run } from '../servers/claims.ts'
import { listenTo, type Wire } from '../servers/wire.ts'

let server: RedisServer
let wire: Wire

beforeAll(async () => {
  server = await startRedis()
  wire = await listenTo(server.url)
})
afterAll(async () => {
  wire.close()
  await server.stop()
})

const replicas = { count: 1, timeoutMs: 400 }

async function viaIoredis() {
  const client = new Redis(server.url)
  return { client, close: () => client.disconnect() }
}

async function viaNodeRedis() {
  const client = createClient({ url: server.url })
  client.on('error', () => {})
  await client.connect()
  return { client, close: () => client.destroy() }
}

// A bug: each completion had a `WAIT` of its own, and Redis carries out nothing else of a
// connection meanwhile. Forty completions took forty times `timeoutMs`, longer than their leases:
// other processes ran their handlers again, and their responses were dropped.
describe.each([
  ['ioredis', viaIoredis],
  ['node-redis', viaNodeRedis],
])('while a replica is missing, through %s,', (_name, connect) => {
  test('completions share a `WAIT`, and come to Redis before their leases end', async () => {
    const { client, close } = await connect()
    const elsewhere = new Redis(server.url)
    try {
      const store = redisStore({ client, replicas })
      const claims = Array.from({ length: 40 }, () => claimOf({ leaseMs: 4_000 }))
      const attempts = await Promise.all(claims.map((claim) => run(store, claim)))
      const waits = await wire.commandsDuring(async () => {
        const said = await Promise.all(
          attempts.map((attempt) => errorOf(attempt.complete(completionOf()))),
        )
        expect(new Set(said.map(({ code }) => code))).toEqual(new Set(['commit-failed']))
        for (const { message } of said) expect(message).toContain('0 of 1 replicas had it')
      })
      expect(waits.filter((name) => name === 'wait').length).toBeLessThan(5)
      const other = redisStore({ client: elsewhere })
      const kinds = await Promise.all(claims.map((claim) => kindOf(other, retryOf(claim))))
      expect(new Set(kinds)).toEqual(new Set(['replay']))
    } finally {
      elsewhere.disconnect()
      close()
    }
  })

  test('claims, renewals, acts and the log go on beside completions and replays', async () => {
    const { client, close } = await connect()
    try {
      const store = redisStore({ client, replicas })
      // Another store on the same client, which has its own options.
      const other = redisStore({ client, replicas: { count: 2, timeoutMs: 200 } })
      const log = redisLog({ client })
      const running = await run(store, claimOf())
      const done = claimOf()
      await errorOf((await run(store, done)).complete(completionOf()))
      const abandoned = await Promise.all(Array.from({ length: 20 }, () => run(store, claimOf())))
      const ends = abandoned.map((attempt) => errorOf(attempt.complete(completionOf())))
      const replays = Array.from({ length: 20 }, (_, at) =>
        errorOf((at % 2 ? store : other).begin(retryOf(done))),
      )
      const beside = await Promise.all([
        running.renew(60_000),
        run(store, claimOf()),
        log.lag('nobody'),
        ...ends,
        ...replays,
      ])
      expect(beside[0]).toBe('held')
      for (const { message } of await Promise.all([...ends, ...replays])) {
        expect(message).toMatch(/0 of [12] replicas had it/)
      }
      const unknown = claimOf({ whenUnknown: 'hold' })
      await (await run(store, unknown)).abandon()
      const act = { actor: 'ops', note: 'it is over' }
      const acted = Array.from({ length: 20 }, () => errorOf(store.begin(retryOf(done))))
      const released = await errorOf(store.keys.release(unknown, act))
      expect(released.message).toContain('0 of 1 replicas have the act')
      await Promise.all(acted)
    } finally {
      close()
    }
  })
})

test('a connection that is lost while a `WAIT` is under way keeps nobody waiting', async () => {
  const client = new Redis(server.url, { autoResendUnfulfilledCommands: false })
  const killer = new Redis(server.url)
  try {
    const store = redisStore({ client, replicas, commandTimeoutMs: 1_000 })
    const [first, second] = [await run(store, claimOf()), await run(store, claimOf())]
    const id = await client.client('ID')
    const lost = errorOf(first.complete(completionOf()))
    await waitFor(
      async () =>
        String(await killer.client('LIST'))
          .split('\n')
          .some((each) => each.includes(`id=${id} `) && each.includes('cmd=wait')),
      { what: '`WAIT` to be under way' },
    )
    await killer.client('KILL', 'ID', id)
    expect((await lost).code).toBe('commit-failed')
    await waitFor(
      async () => (await errorOf(second.complete(completionOf()))).message.includes('0 of 1'),
      { what: 'the next `WAIT`' },
    )
  } finally {
    client.disconnect()
    killer.disconnect()
  }
})

test('a lease that is too short for the time of `WAIT` is warned of', async () => {
  const { client, close } = await viaIoredis()
  const heard: string[] = []
  const hear = (warning: Error): void => void heard.push(warning.message)
  process.on('warning', hear)
  try {
    await run(redisStore({ client, replicas }), claimOf({ leaseMs: 1_599 }))
    await run(redisStore({ client, replicas }), claimOf({ leaseMs: 1_600 }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard.filter((text) => text.includes('at least 1600'))).toHaveLength(1)
  } finally {
    process.off('warning', hear)
    close()
  }
})
