import { randomUUID } from 'node:crypto'
import { startProxy, type TcpProxy, waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../../database/claims.ts'
import { storeOn, testDatabase, wires } from '../../database/test-database.ts'

const insert = 'insert into orders values ($1)'

describe.each([wires[0], wires[3]])(
  'a lost answer in lease mode, $wire',
  ({ pipeline, prepare }) => {
    const database = testDatabase()
    const proxies: TcpProxy[] = []

    afterEach(async () => {
      await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
    })

    async function behindProxy(options: { commitTimeoutMs?: number } = {}) {
      const proxy = await startProxy(Number(new URL(database.url()).port))
      proxies.push(proxy)
      const connectionString = proxy.through(database.url())
      const pool = database.pool({ pipeline, connectionString, max: 4 })
      const store = storeOn(pool, { prepare, mode: 'lease', ...options })
      return { proxy, pool, store, claim: claimOf() }
    }

    async function withWrite(options: { commitTimeoutMs?: number } = {}) {
      const made = await behindProxy(options)
      const attempt = attemptOf(await made.store.begin(made.claim))
      const [id, event] = [randomUUID(), eventOf()]
      await (await attempt.transaction()).query(insert, [id])
      return { ...made, attempt, id, event }
    }

    test.each(['dropAfter', 'dropBefore'] as const)(
      'to a claim makes the store send it again, and it gets the one attempt (%s)',
      async (lose) => {
        const { proxy, pool, store, claim } = await behindProxy()
        await attemptOf(await store.begin(claimOf())).release()
        const lost = proxy[lose](claim.token)
        const attempt = attemptOf(await store.begin(claim))
        await lost
        expect(attempt.number).toBe(1)
        expect(said(await store.begin(again(claim)))).toBe('in-progress')
        expect(await attempt.complete(kept('done'))).toBe('stored')
        await whole(pool)
      },
    )

    test('to a claim that comes late counts the lease from before the statement', async () => {
      const { proxy, pool, store, claim } = await behindProxy()
      await attemptOf(await store.begin(claimOf())).release()
      proxy.stallDownstream()
      const begun = store.begin(claim)
      await waitFor(
        async () =>
          (await database.query('select from oncekey.attempts where token = $1', [claim.token]))
            .length === 1,
        { what: 'the claim to be committed' },
      )
      const committedAt = performance.now()
      proxy.resume()
      const attempt = attemptOf(await begun)
      expect(attempt.askedAt).toBeLessThan(committedAt)
      await attempt.release()
      await whole(pool)
    })

    test('to the start of a transaction gives the next caller another transaction', async () => {
      const { proxy, pool, store, claim } = await behindProxy()
      const attempt = attemptOf(await store.begin(claim))
      const lost = proxy.dropAfter('open_attempt')
      await expect(attempt.transaction()).rejects.toMatchObject({ code: 'store-unavailable' })
      await lost
      const id = randomUUID()
      await (await attempt.transaction()).query(insert, [id])
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await database.hasOrder(id)).toBe(true)
      await whole(pool)
    })

    test('to a COMMIT that the server got is found to be stored', async () => {
      const { proxy, pool, store, claim, attempt, id, event } = await withWrite()
      const lost = proxy.dropAfter('COMMIT')
      expect(await attempt.complete(kept('done', [event]))).toBe('stored')
      await lost
      expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
      expect(await database.hasOrder(id)).toBe(true)
      expect(
        await database.query('select from oncekey.outbox where id = $1', [event.id]),
      ).toHaveLength(1)
      await whole(pool)
    })

    test('to a COMMIT that the server did not get answers 503, and the key is unknown at once', async () => {
      const { proxy, pool, store, claim, attempt, id } = await withWrite()
      const lost = proxy.dropBefore('COMMIT')
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      await lost
      expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
      const retaken = attemptOf(await store.begin(again(claim)))
      expect(retaken.number).toBe(2)
      expect(await retaken.complete(kept('by the second'))).toBe('stored')
      expect(await database.hasOrder(id)).toBe(false)
      await whole(pool)
    })

    test('to COMMIT, without an end of the connection, makes the store ask on another connection', async () => {
      const { proxy, pool, store, claim, attempt, id } = await withWrite({ commitTimeoutMs: 300 })
      proxy.stallUpstream()
      const completing = attempt.complete(kept('done'))
      setTimeout(() => proxy.resume(), 400)
      const outcome = await completing.catch((error) => error.code)
      expect(['stored', 'commit-failed']).toContain(outcome)
      const expected = outcome === 'stored' ? 'replay 201 done' : 'unknown'
      expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe(expected)
      expect(await database.hasOrder(id)).toBe(outcome === 'stored')
      await whole(pool)
    })

    test.each(['dropAfter', 'dropBefore'] as const)(
      'to a completion without a transaction makes the store send it again, and it is stored once (%s)',
      async (lose) => {
        const { proxy, pool, store, claim } = await behindProxy()
        const attempt = attemptOf(await store.begin(claim))
        const event = eventOf()
        const lost = proxy[lose]('complete_attempt')
        expect(await attempt.complete(kept('done', [event]))).toBe('stored')
        await lost
        expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
        expect(
          await database.query('select from oncekey.outbox where id = $1', [event.id]),
        ).toHaveLength(1)
        await whole(pool)
      },
    )

    test('to a refusal makes the store send it again, and its writes are undone', async () => {
      const { proxy, pool, store, claim, attempt, id } = await withWrite()
      const lost = proxy.dropAfter('complete_attempt')
      expect(await attempt.complete(refused('no'))).toBe('stored')
      await lost
      expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
      expect(await database.hasOrder(id)).toBe(false)
      await whole(pool)
    })

    test.each([
      ['release', 'run'],
      ['abandon', 'unknown'],
    ] as const)('to %s makes the store send it again, and the key is %s', async (end, state) => {
      for (const lose of ['dropAfter', 'dropBefore'] as const) {
        const { proxy, pool, store, claim, attempt, id } = await withWrite()
        const lost = proxy[lose](`${end}_attempt`)
        await attempt[end]()
        await lost
        // The server process of the transaction may hold the key's lock for another moment.
        const decision = await waitFor(
          async () => {
            const each = await store.begin(again(claim, { whenUnknown: 'hold' }))
            return each.kind !== 'in-progress' && each
          },
          { what: 'the lock to be free' },
        )
        expect(decision.kind).toBe(state)
        if (decision.kind === 'run') await decision.attempt.release()
        expect(await database.hasOrder(id)).toBe(false)
        await whole(pool)
      }
    })

    test.each(['dropAfter', 'dropBefore'] as const)(
      'to a renewal makes the store repeat it on a new connection (%s)',
      async (lose) => {
        const { proxy, pool, store, claim } = await behindProxy()
        const attempt = attemptOf(await store.begin(claim))
        expect(await attempt.renew(60_000)).toBe('held')
        const lost = proxy[lose]('renew_leases')
        expect(await attempt.renew(60_000)).toBe('held')
        await lost
        await attempt.release()
        await whole(pool)
      },
    )

    test('while an abandoned handler’s query continues does not hold its key', async () => {
      const { pool, store, claim, attempt } = await withWrite()
      const tx = await attempt.transaction()
      const sleeping = tx.query('select pg_sleep(600)').catch((error: Error) => error)
      await attempt.abandon()
      expect(await sleeping).toBeInstanceOf(Error)
      expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
      await whole(pool)
    })
  },
)

async function whole(pool: Pool): Promise<void> {
  await waitFor(() => pool.idleCount === pool.totalCount && pool.waitingCount === 0, {
    what: 'all clients to be given back',
  })
}
