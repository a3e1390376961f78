import type { EventLog } from '@oncekey/core'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quick } from '../databases/log-database.ts'

const RESTARTS = 3

/**
 * A bug: each restart of the server counted as vanished holders, although the relays were alive.
 * After two restarts every event was started alone, with its start and its end on record.
 */
describe('after restarts of the server', () => {
  let server: PostgresServer
  let url: string
  const pools: Pool[] = []
  const pool = (): Pool => {
    const made = new Pool({ connectionString: url, max: 20 })
    made.on('error', () => {})
    pools.push(made)
    return made
  }
  const restart = async (nth: number): Promise<void> => {
    if (nth % 2 === 0) await server.crash()
    await server.restart()
  }

  beforeAll(async () => {
    server = await startPostgres()
    url = await server.createDatabase()
    await migrate(pool())
  })
  afterAll(async () => {
    await Promise.all(pools.map((each) => each.end()))
    await server.stop()
  })

  test('relays that live get their own slots back, and none counts as vanished', {
    timeout: 240_000,
  }, async () => {
    const log = postgresLog({ client: pool() })
    const name = 'shared'
    await log.subscribe({ consumer: name, types: null, startAt: 'now' })
    const held = new Map<string, { slot: number; epoch: string }[]>()
    const lease = async (relay: string) => {
      const holding = held.get(relay) ?? []
      const { taken, lost } = await log.lease({ consumer: name, relay, leaseMs: 60_000, holding })
      held.set(relay, [...holding.filter(({ slot }) => !lost.includes(slot)), ...taken])
      return taken
    }
    await lease('one')
    await lease('two')
    const spare = held.get('one')?.splice(32) ?? []
    await log.release({ consumer: name, relay: 'one', slots: spare, leaving: false })
    await lease('two')
    const slotsOf = (relay: string) =>
      held
        .get(relay)
        ?.map(({ slot }) => slot)
        .sort()
    const before = [slotsOf('one'), slotsOf('two')]
    for (let nth = 0; nth < RESTARTS; nth += 1) {
      await restart(nth)
      const taken = [...(await lease('two')), ...(await lease('one'))]
      expect(taken.map(({ crashes }) => crashes)).toEqual(Array(64).fill(0))
      expect([slotsOf('one'), slotsOf('two')]).toEqual(before)
    }
  })

  test('a relay that does not come back counts as vanished', { timeout: 240_000 }, async () => {
    const log = postgresLog({ client: pool() })
    const consumer = 'left'
    await log.subscribe({ consumer, types: null, startAt: 'now' })
    const lease = (relay: string, leaseMs: number) =>
      log.lease({ consumer, relay, leaseMs, holding: [] })
    await lease('gone', 500)
    await restart(0)
    expect((await lease('another', 60_000)).taken).toEqual([])
    const { taken } = await waitFor(
      async () => {
        const answer = await lease('another', 60_000)
        return answer.taken.length > 0 && answer
      },
      { what: 'the slots to be free' },
    )
    expect(taken.map(({ crashes }) => crashes)).toEqual(Array(64).fill(1))
  })

  // A bug: a relay that was older than the last restart subscribed its retired consumer again, and
  // got the whole log once more.
  test('a relay that runs on does not bring back its retired consumer', {
    timeout: 240_000,
  }, async () => {
    const [log, operator] = [postgresLog({ client: pool() }), postgresLog({ client: pool() })]
    const consumer = 'retired'
    await log.subscribe({ consumer, types: null, startAt: 'beginning' })
    const lease = () => log.lease({ consumer, relay: 'one', leaseMs: 60_000, holding: [] })
    await lease()
    await restart(1)
    await waitFor(() => lease().catch(() => false), { what: 'the server' })
    await operator.retire(consumer)
    await expect(lease()).rejects.toThrow('it was retired')
    await restart(1)
    await waitFor(() => log.lag(consumer).catch(() => false), { what: 'the server' })
    await expect(lease()).rejects.toThrow('it was retired')
    expect((await log.lag(consumer)).known).toBe(false)
    // Who starts anew subscribes anew.
    await log.subscribe({ consumer, types: null, startAt: 'now' })
    expect((await lease()).taken).toHaveLength(64)
  })

  test('a relay starts no event alone', { timeout: 240_000 }, async () => {
    const writers = pool()
    const log = postgresLog({ client: pool() })
    let alone = 0
    const counted: EventLog<PoolClient> = {
      ...log,
      suspect(request) {
        alone += 1
        return log.suspect(request)
      },
    }
    const seen = new Set<string>()
    let open = (): void => {}
    let gate = Promise.resolve()
    let started = 0
    const relay = createRelay({
      ...quick,
      log: counted,
      consumers: [
        consumer<PoolClient>({
          name: 'unharmed',
          startAt: 'now',
          async handle({ event }) {
            started += 1
            await gate
            seen.add(event.subject ?? '')
          },
        }),
      ],
    })
    const emit = (what: string) =>
      transact(writers, (_, tell) => {
        for (let at = 0; at < 100; at += 1) tell({ type: 'one', subject: `${what}-${at}` })
      })
    const allOf = (what: string) => [...seen].filter((each) => each.startsWith(what)).length === 100
    await relay.runOnce()
    relay.start()
    try {
      for (let nth = 0; nth < RESTARTS; nth += 1) {
        gate = new Promise((resolve) => {
          open = resolve
        })
        const before = started
        await emit(`during-${nth}`)
        await waitFor(() => started > before, { what: 'events to be under way' })
        await restart(nth)
        open()
        await waitFor(() => allOf(`during-${nth}`), { what: 'their end', timeoutMs: 30_000 })
      }
    } finally {
      open()
      await relay.stop()
    }
    expect(alone).toBe(0)
  })

  test('an event that crashes the server each time becomes poison, under a process that lives', {
    timeout: 300_000,
  }, async () => {
    const writers = pool()
    const log = postgresLog({ client: pool() })
    const seen: unknown[] = []
    let crashes = 0
    const relay = createRelay({
      ...quick,
      log,
      consumers: [
        consumer<PoolClient>({
          name: 'deadly',
          startAt: 'now',
          maxStarts: 1,
          async handle({ event }) {
            if (event.subject !== 'deadly') seen.push(event.subject)
            else {
              crashes += 1
              const victim = await writers.connect()
              victim.on('error', () => {})
              const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
              await server.crashBackend(rows[0]?.pid ?? 0)
              victim.release(true)
            }
          },
        }),
      ],
    })
    await relay.runOnce()
    for (const subject of ['before', 'deadly', 'behind']) {
      await transact(writers, (_, emit) => emit({ type: 'one', subject, orderingKey: 'same' }))
    }
    relay.start()
    try {
      const letter = await waitFor(
        async () => (await deadLetters(log.deadLetters).list()).items[0],
        { what: 'a dead letter', timeoutMs: 150_000, intervalMs: 200 },
      )
      expect(letter).toMatchObject({ origin: 'deadly', subject: 'deadly', reason: 'poison' })
    } finally {
      await relay.stop()
    }
    expect(seen).toContain('behind')
    expect(crashes).toBeLessThan(40)
  })
})
