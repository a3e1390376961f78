import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Claim, Store } from '@oncekey/core'
import { transact } from '@oncekey/postgres'
import { startNode, startProxy, type TcpProxy, waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const insert = 'insert into orders values ($1)'

describe.each(wires)('a lost connection, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  const proxies: TcpProxy[] = []

  afterEach(async () => {
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
  })

  async function begin(options: { acquireTimeoutMs?: number; commitTimeoutMs?: number } = {}) {
    const { port } = new URL(database.url())
    const proxy = await startProxy(Number(port))
    proxies.push(proxy)
    const pool = database.pool({
      pipeline,
      connectionString: proxy.through(database.url()),
      max: 4,
    })
    const store = storeOn(pool, { prepare, ...options })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    const id = randomUUID()
    await tx.query(insert, [id])
    const { rows } = await tx.query('select pg_backend_pid() as pid')
    return { proxy, pool, store, claim, attempt, tx, id, pid: rows[0].pid as number }
  }

  test('in COMMIT, after the server got it, answers 503, and the retry replays', async () => {
    const { proxy, pool, store, claim, attempt, id } = await begin()
    const lost = proxy.dropAfter('COMMIT')
    await expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
      code: 'commit-failed',
    })
    await lost
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
    expect(await database.hasOrder(id)).toBe(true)
    await whole(pool)
  })

  test('in the COMMIT of transact() is an error that says that the outcome is unknown', async () => {
    const { port } = new URL(database.url())
    const proxy = await startProxy(Number(port))
    proxies.push(proxy)
    const connectionString = proxy.through(database.url())
    const pool = database.pool({ pipeline, connectionString, max: 4 })
    const id = randomUUID()
    let lost: Promise<unknown> | undefined
    const transacting = transact(pool, async (tx, emit) => {
      await tx.query(insert, [id])
      lost = proxy.dropAfter('COMMIT')
      emit({ type: 'order.created', subject: id })
    })
    await expect(transacting).rejects.toMatchObject({ code: 'commit-failed' })
    await lost
    expect(await database.hasOrder(id)).toBe(true)
  })

  test('in COMMIT, before the server got it, answers 503, and the retry runs', async () => {
    const { proxy, pool, store, claim, attempt, id } = await begin()
    const lost = proxy.dropBefore('COMMIT')
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
    await lost
    await ends(store, claim, (end) => attemptOf(end).release())
    expect(await database.hasOrder(id)).toBe(false)
    await whole(pool)
  })

  test('in COMMIT, without an answer, answers 503 in time, and the key is free once the server notices', async () => {
    const { proxy, pool, store, claim, attempt, id } = await begin({ commitTimeoutMs: 200 })
    const removed = once(pool, 'remove')
    proxy.stall()
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'commit-failed',
      cause: expect.objectContaining({ code: 'store-unavailable' }),
    })
    // Its socket is closed without waiting for a reply.
    await removed
    proxy.resume()
    await ends(store, claim, async (end) => {
      // The statement may have reached the server, so both outcomes are possible.
      if (said(end) === 'replay 201 done') return expect(await database.hasOrder(id)).toBe(true)
      await attemptOf(end).release()
      expect(await database.hasOrder(id)).toBe(false)
    })
    await whole(pool)
  })

  test('in the COMMIT of a refusal answers 503, and the retry finds the outcome', async () => {
    const { proxy, store, claim, attempt, id } = await begin()
    const lost = proxy.dropAfter('.refuse_5(')
    await expect(attempt.complete(refused('no'))).rejects.toMatchObject({ code: 'commit-failed' })
    await lost
    expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
    expect(await database.hasOrder(id)).toBe(false)
  })

  test('while the handler runs stores nothing, and the key is free', async () => {
    const { proxy, pool, store, claim, attempt, tx, id } = await begin()
    proxy.cut()
    await expect(tx.query('select 1')).rejects.toThrow()
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
    await ends(store, claim, (end) => attemptOf(end).release())
    expect(await database.hasOrder(id)).toBe(false)
    await whole(pool)
  })

  // A bug: pg-pool removes its 'error' listener when it gives a client out, so the 'error' event
  // ended the process.
  test('does not end the process when the server ends an idle transaction', async () => {
    const { pool, store, claim, attempt, tx, pid } = await begin()
    await tx.query("set local idle_in_transaction_session_timeout = '50ms'")
    await gone(pid)
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
    await attemptOf(await store.begin(again(claim))).release()
    await whole(pool)
  })

  test('does not end the process when the server shuts down', async () => {
    const { pool, store, claim, attempt, pid } = await begin()
    await database.query('select pg_terminate_backend($1)', [pid])
    await gone(pid)
    await attempt.abandon()
    await attemptOf(await store.begin(again(claim))).release()
    await whole(pool)
  })

  test('does not hold the key of an abandoned handler whose query continues', async () => {
    const { pool, store, claim, attempt, tx, pid } = await begin()
    const sleeping = tx.query('select pg_sleep(600)').catch((error: Error) => error)
    await attempt.abandon()
    await gone(pid)
    expect(await sleeping).toBeInstanceOf(Error)
    await attemptOf(await store.begin(again(claim))).release()
    await whole(pool)
  })

  test('in the claim answers 503, and leaves nothing open', async () => {
    const { proxy, pool, store, attempt } = await begin()
    await attempt.release()
    const claim = claimOf()
    const lost = proxy.dropAfter(claim.key)
    await expect(store.begin(claim)).rejects.toMatchObject({ code: 'store-unavailable' })
    await lost
    await ends(store, claim, (end) => attemptOf(end).release())
    await whole(pool)
  })

  test('in the claim, without an answer, answers 503 in time', async () => {
    const { proxy, pool, store, attempt } = await begin({ acquireTimeoutMs: 1_000 })
    await attempt.release()
    proxy.stall()
    const claim = claimOf()
    await expect(store.begin(claim)).rejects.toMatchObject({ code: 'store-unavailable' })
    proxy.resume()
    await ends(store, claim, (end) => attemptOf(end).release())
    await whole(pool)
  })

  test('that was never established answers 503 in time', async () => {
    const { proxy, pool, store, attempt } = await begin({ acquireTimeoutMs: 1_000 })
    proxy.stall()
    const claim = claimOf()
    await expect(store.begin(claim)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('took no connection'),
    })
    proxy.resume()
    await attempt.release()
    await ends(store, claim, (end) => attemptOf(end).release())
    await whole(pool)
  })

  test('in a read, without an answer, answers 503 in time, and is not used again', async () => {
    const { proxy, pool, store, attempt } = await begin({ acquireTimeoutMs: 1_000 })
    const finished = claimOf()
    await attemptOf(await store.begin(finished)).complete(kept('done'))
    // When every permit is taken, records are read on the rest of the pool.
    const other = attemptOf(await store.begin(claimOf()))
    await pool.query('select 1')
    const removed = once(pool, 'remove')
    proxy.stall()
    await expect(store.begin(again(finished))).rejects.toMatchObject({ code: 'store-unavailable' })
    await removed
    proxy.resume()
    expect(said(await store.begin(again(finished)))).toBe('replay 201 done')
    await Promise.all([attempt.release(), other.release()])
    await whole(pool)
  })

  async function gone(pid: number): Promise<void> {
    await waitFor(
      async () =>
        (await database.query('select from pg_stat_activity where pid = $1', [pid])).length === 0,
      { what: `backend ${pid} to be gone` },
    )
  }
})

describe('without the store', () => {
  const database = testDatabase()

  test('a checked-out client that its server ends brings the process down', async () => {
    const child = await startNode(new URL('../children/naive-checkout.ts', import.meta.url), {
      env: { DATABASE_URL: database.url() },
    })
    expect((await child.exited).code).toBe(1)
    expect(child.output()).toContain('idle-in-transaction timeout')
  })

  test('a backend is ended only in the intended transaction', async () => {
    const client = await database.pool().connect()
    await client.query('begin')
    const { rows } = await client.query(
      'select pg_backend_pid() as pid, (extract(epoch from now()) * 1000000)::bigint as started',
    )
    const { terminateBackend } = await import('../../src/store/statements/backends.ts')
    const end = ({ text, values }: ReturnType<typeof terminateBackend>) =>
      database.query(text, [...values])
    const meant = { backend: rows[0].pid, started: rows[0].started, mayCommit: false }
    const later = `${Number(meant.started) + 1}`
    expect(await end(terminateBackend({ ...meant, started: later }))).toEqual([])
    await client.query('commit')
    await client.query('begin')
    expect(await end(terminateBackend(meant))).toEqual([])
    await client.query('commit')
    client.release()
  })
})

/** Asks until the key is no longer running, and returns that decision. */
async function ends(
  store: Store<PoolClient>,
  claim: Claim,
  then: (decision: Awaited<ReturnType<typeof store.begin>>) => Promise<unknown>,
): Promise<void> {
  const decision = await waitFor(
    async () => {
      const answer = await store.begin(again(claim))
      return answer.kind !== 'in-progress' && answer
    },
    { what: 'the key to be free' },
  )
  await then(decision)
}

async function whole(pool: Pool): Promise<void> {
  await waitFor(() => pool.idleCount === pool.totalCount && pool.waitingCount === 0, {
    what: 'all clients to be given back',
  })
}
