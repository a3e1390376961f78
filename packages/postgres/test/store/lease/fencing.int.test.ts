import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, said } from '../../database/claims.ts'
import { storeOn, testDatabase, wires } from '../../database/test-database.ts'

const insert = 'insert into orders values ($1)'
const SHORT_MS = 50

describe.each(wires.slice(0, 2))('a worker that lost its lease, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  const process = () => storeOn(database.pool({ pipeline }), { prepare, mode: 'lease' })

  test('gets no transaction, and commits neither response nor event', async () => {
    const claim = claimOf({ leaseMs: SHORT_MS })
    const stale = attemptOf(await process().begin(claim))
    const owner = attemptOf(await lapsed(claim))
    await expect(stale.transaction()).rejects.toMatchObject({ code: 'transaction-over' })
    const event = eventOf()
    expect(await stale.complete(kept('stale', [event]))).toBe('superseded')
    expect(await owner.complete(kept('owner'))).toBe('stored')
    expect(said(await process().begin(again(claim)))).toBe('replay 201 owner')
    expect(await database.query('select from oncekey.outbox where id = $1', [event.id])).toEqual([])
  })

  test('keeps its lease while its transaction is open, because the lock on its row is the lease', async () => {
    const claim = claimOf({ leaseMs: SHORT_MS })
    const attempt = attemptOf(await process().begin(claim))
    const id = randomUUID()
    await (await attempt.transaction()).query(insert, [id])
    const other = process()
    await waitFor(
      async () =>
        (
          await database.query(
            'select from oncekey.attempts where key = $1 and until < clock_timestamp()',
            [claim.key],
          )
        ).length === 1,
      { what: 'the lease to be over' },
    )
    for (const whenUnknown of ['retake', 'hold'] as const) {
      expect(said(await other.begin(again(claim, { whenUnknown })))).toBe('in-progress')
    }
    expect(said(await other.begin(again(claim, { fingerprints: ['other'] })))).toBe('mismatch')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
    expect(said(await other.begin(again(claim)))).toBe('replay 201 done')
  })

  test('is succeeded by one of fifty that race for it, and one order exists', async () => {
    const claim = claimOf({ leaseMs: SHORT_MS })
    const stale = attemptOf(await process().begin(claim))
    const stores = Array.from({ length: 5 }, process)
    const ids = Array.from({ length: 50 }, () => randomUUID())
    const worker = async (id: string, index: number): Promise<string> => {
      const decision = await waitFor(
        async () => {
          const answer = await stores[index % 5]?.begin(again(claim, { leaseMs: 60_000 }))
          return answer?.kind !== 'in-progress' && answer
        },
        { what: 'the lease to be over' },
      )
      if (decision.kind !== 'run') return said(decision)
      await (await decision.attempt.transaction()).query(insert, [id])
      expect(decision.attempt.number).toBe(2)
      await decision.attempt.complete(kept(id))
      return `replay 201 ${id}`
    }
    const answers = new Set(await Promise.all(ids.map(worker)))
    expect(answers.size).toBe(1)
    const there = []
    for (const id of ids) if (await database.hasOrder(id)) there.push(`replay 201 ${id}`)
    expect(there).toEqual([...answers])
    expect(await stale.complete(kept('stale'))).toBe('superseded')
  })

  async function lapsed(claim: ReturnType<typeof claimOf>) {
    const store = process()
    return await waitFor(
      async () => {
        const decision = await store.begin(again(claim, { leaseMs: 60_000 }))
        return decision.kind !== 'in-progress' && decision
      },
      { what: 'the lease to be over' },
    )
  }
})

describe('a completion that does not hold its attempt', () => {
  const database = testDatabase()

  test('changes no row without the fence, which is no error, so COMMIT keeps the stale write', async () => {
    const id = randomUUID()
    await database.query(
      `begin; insert into orders values ('${id}');
       delete from oncekey.attempts where token = 'stale'; commit`,
    )
    expect(await database.hasOrder(id)).toBe(true)
  })

  test('raises an error, and the COMMIT behind it rolls back', async () => {
    const id = randomUUID()
    const client = await database.pool().connect()
    const completing = client.query(
      `begin; set local oncekey.attempt = 'stale'; insert into orders values ('${id}');
       select oncekey.complete_attempt('stale', 'n', 's', 'k', 201, '[]', '', null, null, true);
       commit`,
    )
    await expect(completing).rejects.toMatchObject({ code: 'OK002' })
    await client.query('rollback')
    client.release()
    expect(await database.hasOrder(id)).toBe(false)
  })
})

describe('a completion that waits for its COMMIT', () => {
  const database = testDatabase()

  async function pending() {
    const claim = claimOf()
    const { namespace, scope, key, token } = claim
    const store = storeOn(database.pool(), { mode: 'lease' })
    const attempt = attemptOf(await store.begin(claim))
    const client = await database.pool().connect()
    await client.query('begin')
    await client.query('select oncekey.open_attempt(1, $1, $2, $3, $4, 0)', [
      namespace,
      scope,
      key,
      token,
    ])
    await client.query(
      "select oncekey.complete_attempt($1, $2, $3, $4, 201, '[]', 'done', null, null, true)",
      [token, namespace, scope, key],
    )
    return { attempt, claim, client }
  }

  test('blocks no claim, no renewal and no waiting claim', async () => {
    const { attempt, claim, client } = await pending()
    const store = storeOn(database.pool(), { mode: 'lease' })
    const waiter = store.begin(again(claim, { waitMs: 60_000 }))
    for (const whenUnknown of ['retake', 'hold'] as const) {
      expect(said(await store.begin(again(claim, { whenUnknown })))).toBe('in-progress')
    }
    // In another store, because a claim of this store would wait for the end of the attempt, which
    // comes last here.
    const other = storeOn(database.pool(), { mode: 'lease' })
    const own = attemptOf(await other.begin(claim))
    expect(await own.renew(60_000)).toBe('held')
    await client.query('commit')
    client.release()
    expect(said(await waiter)).toBe('replay 201 done')
    await own.release()
    await attempt.release()
  })

  test('would block a claim that inserts, and a renewal that writes the row', async () => {
    const { attempt, claim, client } = await pending()
    const naive = await database.pool({ options: '-c lock_timeout=100ms' }).connect()
    await expect(
      naive.query(
        `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, until)
           values ($1, $2, $3, 'f', 1, now()) on conflict do nothing`,
        [claim.namespace, claim.scope, claim.key],
      ),
    ).rejects.toMatchObject({ code: '55P03' })
    await expect(
      naive.query('update oncekey.attempts set until = now() where token = $1', [claim.token]),
    ).rejects.toMatchObject({ code: '55P03' })
    naive.release()
    await client.query('rollback')
    client.release()
    await attempt.release()
  })
})

describe('a handler in repeatable read', () => {
  const database = testDatabase()

  test('completes, however often its lease was renewed meanwhile', async () => {
    const store = storeOn(database.pool(), { mode: 'lease', isolation: 'repeatable read' })
    const attempt = attemptOf(await store.begin(claimOf()))
    await (await attempt.transaction()).query(insert, [randomUUID()])
    for (let i = 0; i < 3; i += 1) expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test('would fail if a renewal changed its own row, which its snapshot does not show', async () => {
    const claim = claimOf()
    const attempt = attemptOf(await storeOn(database.pool(), { mode: 'lease' }).begin(claim))
    const client = await database.pool().connect()
    await client.query('begin isolation level repeatable read')
    await client.query(insert, [randomUUID()])
    await database.query('update oncekey.attempts set until = now() where token = $1', [
      claim.token,
    ])
    await expect(
      client.query('delete from oncekey.attempts where token = $1', [claim.token]),
    ).rejects.toMatchObject({ code: '40001' })
    await client.query('rollback')
    client.release()
    await attempt.release()
  })
})

describe('renewals while every other connection of the pool is in use', () => {
  const database = testDatabase()

  test('still succeed', async () => {
    const pool = database.pool({ max: 4 })
    const store = storeOn(pool, { mode: 'lease' })
    const claims = Array.from({ length: 2 }, () => claimOf())
    const attempts = []
    for (const claim of claims) attempts.push(attemptOf(await store.begin(claim)))
    for (const attempt of attempts) await attempt.transaction()
    const hogs = await hogTheRest(pool)
    expect(await Promise.all(attempts.map((attempt) => attempt.renew(60_000)))).toEqual([
      'held',
      'held',
    ])
    for (const hog of hogs) hog.release()
    for (const attempt of attempts) expect(await attempt.complete(kept('done'))).toBe('stored')
    await waitFor(() => pool.idleCount === pool.totalCount, { what: 'all to be given back' })
  })

  test('would wait behind the handlers whose leases they renew', async () => {
    const pool = database.pool({ max: 4 })
    const handlers = await Promise.all(Array.from({ length: 4 }, () => pool.connect()))
    const renewal = pool.query('select 1')
    expect([pool.idleCount, pool.waitingCount]).toEqual([0, 1])
    for (const handler of handlers) handler.release()
    await renewal
  })

  async function hogTheRest(pool: Pool): Promise<PoolClient[]> {
    const hogs: PoolClient[] = []
    await waitFor(
      async () => {
        if (pool.totalCount - pool.idleCount >= 4) return true
        hogs.push(await pool.connect())
        return false
      },
      { what: 'the pool to be in use' },
    )
    return hogs
  }
})

describe('renewals of many attempts', () => {
  const database = testDatabase()

  test('are one statement for all that ask at the same time', async () => {
    const pool = database.pool({ max: 4 })
    const store = storeOn(pool, { mode: 'lease' })
    const claims = Array.from({ length: 60 }, () => claimOf())
    const attempts = await Promise.all(
      claims.map(async (claim) => attemptOf(await store.begin(claim))),
    )
    const answers = await Promise.all(attempts.map((attempt) => attempt.renew(60_000)))
    expect(new Set(answers)).toEqual(new Set(['held']))
    // One transaction wrote all of them.
    expect(await database.query('select distinct xmin from oncekey.leases')).toHaveLength(1)
    for (const attempt of attempts) await attempt.release()
    const held = () => database.query('select from oncekey.leases where until is not null')
    await waitFor(async () => (await held()).length === 0, { what: 'their leases to be forgotten' })
    await waitFor(() => pool.idleCount === pool.totalCount, { what: 'all to be given back' })
  })

  test('continue on a new connection when theirs is lost', async () => {
    const name = `renewing-${randomUUID()}`
    const pool = database.pool({ max: 4, application_name: name })
    const store = storeOn(pool, { mode: 'lease' })
    const attempt = attemptOf(await store.begin(claimOf()))
    expect(await attempt.renew(60_000)).toBe('held')
    const ended = await database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
      [name],
    )
    expect(ended.length).toBeGreaterThan(0)
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })
})
