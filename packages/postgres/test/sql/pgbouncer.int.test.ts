import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { type PgBouncer, startPgBouncer, waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

describe('behind PgBouncer in transaction mode', () => {
  const database = testDatabase()
  let pgbouncer: PgBouncer

  beforeAll(async () => {
    pgbouncer = await startPgBouncer(database.url(), {
      settings: { default_pool_size: '5', max_client_conn: '500' },
    })
  })

  afterAll(() => pgbouncer.stop())

  function pools(count: number, pipeline = false): Pool[] {
    return Array.from({ length: count }, () =>
      database.pool({ connectionString: pgbouncer.through(database.url()), max: 20, pipeline }),
    )
  }

  test.each([false, true])(
    'one key has one effect under concurrency: pipeline %s',
    async (pipeline) => {
      const clients = pools(2, pipeline)
      for (const client of clients) await migrate(client)
      const stores = clients.map((client) => storeOn(client, { acquireTimeoutMs: 30_000 }))
      const claims = Array.from({ length: 50 }, () => claimOf())
      const effects = new Map<string, number>()
      const request = async (index: number): Promise<void> => {
        const claim = claims[(index * 7) % claims.length]
        const waitMs = index % 3 === 0 ? 0 : 5_000
        if (claim === undefined) return
        const decision = await stores[index % 2]?.begin(again(claim, { waitMs }))
        if (decision?.kind !== 'run') return
        const { attempt } = decision
        await (await attempt.transaction()).query('insert into orders values ($1)', [randomUUID()])
        if (index % 11 === 0) return attempt.abandon()
        const outcome = await attempt.complete(
          index % 13 < 4 ? refused(claim.key) : kept(claim.key, [eventOf()]),
        )
        // Superseded: another attempt got the key between the rollback and the record of the
        // refusal.
        if (outcome === 'stored') effects.set(claim.key, (effects.get(claim.key) ?? 0) + 1)
      }
      let next = 0
      const client = async (): Promise<void> => {
        while (next < 1_500) await request(next++)
      }
      await Promise.all(Array.from({ length: 30 }, client))
      expect([...effects.values()]).toEqual(Array(50).fill(1))
      for (const claim of claims) {
        const replay = await storeOn(clients[0] as Pool).begin(again(claim))
        expect(said(replay)).toMatch(new RegExp(`^replay (201|422) ${claim.key}$`))
      }
      await waitFor(async () => (await database.locks()) === 0, { what: 'every lock to be let go' })
    },
  )

  test.each([false, true])(
    'one key has one effect in lease mode, too: pipeline %s',
    async (pipeline) => {
      const clients = pools(2, pipeline)
      for (const client of clients) await migrate(client)
      // Handlers in transactions hold connections of the pooler, too, so one of its five must stay
      // free.
      const stores = clients.map((client) =>
        storeOn(client, { mode: 'lease', maxConcurrent: 2, acquireTimeoutMs: 30_000 }),
      )
      const claims = Array.from({ length: 50 }, () => claimOf())
      const effects = new Map<string, number>()
      const request = async (index: number): Promise<void> => {
        const claim = claims[(index * 7) % claims.length]
        const waitMs = index % 3 === 0 ? 0 : 5_000
        if (claim === undefined) return
        const decision = await stores[index % 2]?.begin(again(claim, { waitMs }))
        if (decision?.kind !== 'run') return
        const { attempt } = decision
        if (index % 2 === 0) {
          await (await attempt.transaction()).query('insert into orders values ($1)', [
            randomUUID(),
          ])
        }
        expect(await attempt.renew(60_000)).toBe('held')
        if (index % 11 === 0) return attempt.abandon()
        const outcome = await attempt.complete(
          index % 13 < 4 ? refused(claim.key) : kept(claim.key, [eventOf()]),
        )
        if (outcome === 'stored') effects.set(claim.key, (effects.get(claim.key) ?? 0) + 1)
      }
      let next = 0
      const client = async (): Promise<void> => {
        while (next < 300) await request(next++)
      }
      await Promise.all(Array.from({ length: 30 }, client))
      expect([...effects.values()]).toEqual(Array(50).fill(1))
      for (const claim of claims) {
        const replay = await storeOn(clients[0] as Pool, { mode: 'lease' }).begin(again(claim))
        expect(said(replay)).toMatch(new RegExp(`^replay (201|422) ${claim.key}$`))
      }
      await waitFor(async () => (await database.locks()) === 0, { what: 'every lock to be let go' })
      expect(await database.query('select from oncekey.attempts')).toEqual([])
    },
  )
})
