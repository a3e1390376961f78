import { randomUUID } from 'node:crypto'
import { type PostgresStoreOptions, postgresStore } from '@oncekey/postgres'
import { startProxy, type TcpProxy, waitFor } from '@oncekey/test-servers'
import { afterEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { bridges } from './driven/all.ts'
import type { Bridge } from './driven/bridge.ts'
import { codeOf, errorOf, whole } from './open-transactions.ts'

type Store = ReturnType<typeof postgresStore>

/** Waits until the key is no longer running, and returns its state. */
async function settled(store: Store, claim: ReturnType<typeof claimOf>) {
  return await waitFor(
    async () => {
      const answer = await store.begin(again(claim)).catch(() => undefined)
      return answer !== undefined && answer.kind !== 'in-progress' && answer
    },
    { what: 'the key to be free' },
  )
}

describe.each(bridges)('$name', ({ open }) => {
  const database = testDatabase()
  const opened: Bridge[] = []
  const proxies: TcpProxy[] = []

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((bridge) => bridge.end()))
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
  })

  async function begin({
    max = 4,
    url = database.url(),
    ...options
  }: { max?: number; url?: string } & Omit<PostgresStoreOptions<unknown>, 'client'> = {}) {
    const bridge = await open({ url, max })
    opened.push(bridge)
    const store = postgresStore({ client: bridge.client, ...options })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    return { bridge, store, claim, attempt, tx: await attempt.transaction() }
  }

  describe('after the response', () => {
    test('nothing sent through the transaction reaches a connection', async () => {
      const { bridge, attempt, tx, store } = await begin({ max: 2 })
      const ids = [randomUUID(), randomUUID(), randomUUID()] as const
      const built = bridge.later(tx, ids[0])
      let inner: unknown
      await bridge.nested?.(tx, async (nested) => {
        inner = nested
      })
      expect(await attempt.complete(kept('done'))).toBe('stored')
      // The next attempt may run on the same connection.
      const next = attemptOf(await store.begin(claimOf()))
      await next.transaction()
      const late = [() => bridge.insert(tx, ids[1]), built]
      if (inner !== undefined) late.push(() => bridge.insert(inner, ids[2]))
      for (const write of late) {
        const error = await errorOf(write)
        // Sequelize itself ends the transaction of a savepoint with its callback.
        expect(`${codeOf(error)} ${error}`).toMatch(/transaction-over|you can no longer use it/)
      }
      expect(await next.complete(kept('done'))).toBe('stored')
      expect(await orders(ids)).toEqual([false, false, false])
      await whole(bridge)
    })

    test('a write that was not awaited is in the transaction or refused', async () => {
      const { bridge, attempt, tx } = await begin()
      const id = randomUUID()
      const write = errorOf(() => bridge.insert(tx, id))
      expect(await attempt.complete(kept('done'))).toBe('stored')
      const refusal = codeOf(await write)
      expect([undefined, 'transaction-over']).toContain(refusal)
      expect(await database.hasOrder(id)).toBe(refusal === undefined)
      await whole(bridge)
    })
  })

  describe('the pool', () => {
    test('whose connections are all in use answers 503 in time, and loses none', async () => {
      const { bridge, attempt, store, claim } = await begin({ max: 2, acquireTimeoutMs: 1_000 })
      expect(await attempt.complete(kept('done'))).toBe('stored')
      const giveBack = await bridge.exhaust()
      for (let wave = 0; wave < 4; wave += 1) {
        await expect(store.begin(claimOf())).rejects.toMatchObject({
          code: expect.stringMatching(/^store-(?:busy|unavailable)$/),
        })
      }
      await giveBack()
      await whole(bridge)
      const replay = () => store.begin(again(claim)).catch(() => undefined)
      expect(said(await waitFor(replay, { what: 'the pool to be asked again' }))).toMatch(/^replay/)
    })

    test('of four serves fifty requests at once, each in its own transaction', async () => {
      const { bridge, attempt, store } = await begin()
      await attempt.release()
      const ids = Array.from({ length: 50 }, () => randomUUID())
      const outcomes = ids.map(async (id, index) => {
        const each = attemptOf(await store.begin(claimOf()))
        await bridge.insert(await each.transaction(), id)
        return index % 2 === 0 ? await each.complete(kept(id)) : await each.release()
      })
      await Promise.all(outcomes)
      expect(await orders(ids)).toEqual(ids.map((_, index) => index % 2 === 0))
      await whole(bridge)
    })

    test('bounds maxConcurrent', async () => {
      const bridge = await open({ url: database.url(), max: 3 })
      opened.push(bridge)
      expect(() => postgresStore({ client: bridge.client, maxConcurrent: 4 })).toThrow(
        /the pool has 3/,
      )
    })

    test('has nothing open after every way an attempt can end', async () => {
      const { bridge, store, attempt } = await begin({ max: 8 })
      await attempt.release()
      const start = async () => attemptOf(await store.begin(claimOf()))
      const ends = [
        async () => void (await (await start()).complete(kept('done'))),
        async () => void (await (await start()).complete(refused('no'))),
        async () => (await start()).release(),
        async () => (await start()).abandon(),
        async () => {
          const each = await start()
          await bridge.raw(await each.transaction(), 'select 1 / 0').catch(() => {})
          await each.complete(kept('done')).catch(() => {})
        },
        async () => {
          const each = await store.open({ leaseMs: 1_000 })
          await each.transaction()
          await each.complete(kept('done'))
        },
      ]
      await Promise.all(Array.from({ length: 60 }, (_, index) => ends[index % ends.length]?.()))
      await whole(bridge)
      const open = `select pid from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'`
      // A server takes a moment to see that a destroyed connection is gone.
      await waitFor(async () => (await database.query(open)).length === 0, {
        what: 'every transaction to be over',
      })
      expect(await database.locks()).toBe(0)
    })
  })

  describe('a lost connection', () => {
    async function throughProxy(options: { commitTimeoutMs?: number } = {}) {
      const proxy = await startProxy(Number(new URL(database.url()).port))
      proxies.push(proxy)
      const begun = await begin({ url: proxy.through(database.url()), ...options })
      const id = randomUUID()
      await begun.bridge.insert(begun.tx, id)
      return { ...begun, proxy, id }
    }
    const commits = (sent: Buffer): boolean => /commit/i.test(sent.toString('latin1'))

    // Drizzle's own transaction() loses a connection of the pool each time (drizzle-orm #6023,
    // #6241,
    // #6341).
    test('in BEGIN costs the pool no place, however often', async () => {
      const { bridge, proxy, store, attempt } = await throughProxy()
      expect(await attempt.complete(kept('done'))).toBe('stored')
      for (let round = 0; round < 6; round += 1) {
        const lost = proxy.dropBefore((sent) => /begin|start transaction/i.test(`${sent}`))
        await expect(store.begin(claimOf())).rejects.toMatchObject({
          code: expect.stringMatching(/^store-/),
        })
        await lost
      }
      await whole(bridge)
      const serving = () => store.begin(claimOf()).catch(() => undefined)
      const next = attemptOf(await waitFor(serving, { what: 'a request to be served' }))
      await bridge.insert(await next.transaction(), randomUUID())
      expect(await next.complete(kept('done'))).toBe('stored')
      await whole(bridge)
    })

    test('in COMMIT, after the server got it, answers 503, and the retry replays', async () => {
      const { bridge, proxy, store, claim, attempt, id } = await throughProxy()
      const lost = proxy.dropAfter(commits)
      await expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
        code: 'commit-failed',
      })
      await lost
      expect(said(await settled(store, claim))).toBe('replay 201 done')
      expect(await database.hasOrder(id)).toBe(true)
      await whole(bridge)
    })

    test('in COMMIT, before the server got it, answers 503, and the retry runs', async () => {
      const { bridge, proxy, store, claim, attempt, id } = await throughProxy()
      const lost = proxy.dropBefore(commits)
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      await lost
      await attemptOf(await settled(store, claim)).release()
      expect(await database.hasOrder(id)).toBe(false)
      await whole(bridge)
    })

    test('in COMMIT, without an answer, answers 503 in time, and no connection is left', async () => {
      const { bridge, proxy, store, claim, attempt, id } = await throughProxy({
        commitTimeoutMs: 200,
      })
      proxy.stall()
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
        code: 'commit-failed',
        cause: expect.objectContaining({ code: 'store-unavailable' }),
      })
      proxy.resume()
      const decision = await settled(store, claim)
      // The statement may have reached the server, so both outcomes are possible.
      const isStored = said(decision) === 'replay 201 done'
      if (!isStored) await attemptOf(decision).release()
      expect(await database.hasOrder(id)).toBe(isStored)
      await whole(bridge)
    })

    test('while the handler runs leaves the key free, and nothing that the handler sends later is written', async () => {
      const { bridge, store, claim, attempt, tx } = await throughProxy()
      const [row] = await bridge.raw(tx, 'select pg_backend_pid() as pid')
      const { pid } = row as { pid: number }
      await database.query('select pg_terminate_backend($1)', [pid])
      await waitFor(
        async () =>
          (await database.query('select from pg_stat_activity where pid = $1', [pid])).length === 0,
        { what: 'the backend to be gone' },
      )
      // Another request may have taken the free connection of the pool.
      const others = await Promise.all([store.begin(claimOf())])
      const late = randomUUID()
      expect(await errorOf(() => bridge.insert(tx, late))).toBeInstanceOf(Error)
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      for (const other of others) {
        expect(await attemptOf(other).complete(kept('done'))).toBe('stored')
      }
      await attemptOf(await settled(store, claim)).release()
      expect(await database.hasOrder(late)).toBe(false)
      await whole(bridge)
    })

    test('with a statement that does not end still undoes the request', async () => {
      const { bridge, store, claim, attempt, tx } = await throughProxy()
      const sleeping = errorOf(() => bridge.raw(tx, 'select pg_sleep(600)'))
      await waitFor(
        async () =>
          (await database.query("select from pg_stat_activity where query ~ '^select pg_sleep'"))
            .length === 1,
        { what: 'the statement to run' },
      )
      await attempt.abandon()
      expect(await sleeping).toBeInstanceOf(Error)
      await attemptOf(await settled(store, claim)).release()
      await whole(bridge)
    })
  })

  async function orders(ids: readonly string[]): Promise<boolean[]> {
    return await Promise.all(ids.map((id) => database.hasOrder(id)))
  }
})
