import type { Socket } from 'node:net'
import type { Claim } from '@oncekey/core'
import { migrate } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

// A bug: the server carried these claims out once it was back, although their requests had been
// answered with 503 and no handler ran. Each held its key, and under `hold` until an operator came.
describe('claims that a frozen server carries out when it is back', () => {
  let server: PostgresServer
  let reader: Pool
  beforeAll(async () => {
    server = await startPostgres()
    reader = new Pool({ connectionString: server.url })
    await migrate(reader)
  })
  afterAll(async () => {
    await reader.end()
    await server.stop()
  })

  async function whileFrozen(claims: readonly Claim[], pool: Pool): Promise<void> {
    const store = storeOn(pool, { mode: 'lease', maxConcurrent: 4, acquireTimeoutMs: 1_000 })
    const clients = await Promise.all(Array.from({ length: 14 }, () => pool.connect()))
    for (const client of clients) client.release()
    await server.pause()
    try {
      const codes = claims.map((claim) => store.begin(claim).catch(({ code }) => code))
      expect(await Promise.all(codes)).toEqual(claims.map(() => 'store-unavailable'))
    } finally {
      server.resume()
    }
  }

  async function marked(claims: readonly Claim[]): Promise<void> {
    const tokens = claims.map(({ token }) => token)
    await waitFor(
      async () => {
        const { rows } = await reader.query(
          'select from oncekey.leases where token = any ($1) and until is null',
          [tokens],
        )
        return rows.length === tokens.length
      },
      { what: 'all claims to be given back', timeoutMs: 60_000 },
    )
  }

  const pools: Pool[] = []
  const poolOf = (max: number): Pool => {
    const pool = new Pool({ connectionString: server.url, max })
    pool.on('error', () => {})
    pools.push(pool)
    return pool
  }
  afterAll(() => Promise.all(pools.map((pool) => pool.ended || pool.end())))

  test('leave their keys free', async () => {
    const claims = Array.from({ length: 10 }, () => claimOf({ whenUnknown: 'hold' }))
    await whileFrozen(claims, poolOf(15))
    await marked(claims)
    const store = storeOn(reader, { mode: 'lease' })
    for (const claim of claims) {
      const attempt = await waitFor(
        async () => {
          const decision = await store.begin(again(claim))
          return decision.kind === 'run' && decision.attempt
        },
        { what: 'the key to be free' },
      )
      expect(attempt.number).toBe(1)
      await attempt.release()
    }
  })

  test('leave an outcome unknown that was', async () => {
    const store = storeOn(reader, { mode: 'lease' })
    const claim = claimOf()
    await attemptOf(await store.begin(claim)).abandon()
    const retaking = again(claim)
    await whileFrozen([retaking], poolOf(15))
    await marked([retaking])
    const held = again(claim, { whenUnknown: 'hold' })
    await waitFor(async () => (await store.begin(held)).kind === 'unknown', {
      what: 'the claim to be given back',
    })
  })
})

// A bug: its second copy was answered `in-progress`, and the first one took the key as soon as the
// server had it. No handler ran, and under `hold` the key was taken until an operator came.
test.each([0, 500])('a claim that is carried out after its answer, waitMs %i', async (waitMs) => {
  const pool = database.pool({ max: 4 })
  const elsewhere = storeOn(database.pool(), { mode: 'lease' })
  const claim = claimOf({ whenUnknown: 'hold', leaseMs: 1_000, waitMs })
  const holder = attemptOf(await elsewhere.begin(again(claim, { leaseMs: 60_000, waitMs: 0 })))

  const [decision, pid] = await Promise.all([
    storeOn(pool, { mode: 'lease' }).begin(claim),
    cutOffWhenSent(pool),
  ])
  expect(decision.kind).toBe('in-progress')
  await holder.release()
  process.kill(pid, 'SIGCONT')
  const backend = 'select from pg_stat_activity where pid = $1'
  await waitFor(async () => (await database.query(backend, [pid])).length === 0, {
    what: 'the first copy to be carried out',
  })
  const free = again(claim, { waitMs: 0 })
  const next = await waitFor(
    async () => {
      const each = await elsewhere.begin(free)
      return each.kind === 'run' && each.attempt
    },
    { what: 'the key to be free' },
  )
  expect(next.number).toBe(1)
  await next.release()
})

/**
 * Freezes the backend of the next client that is taken, and cuts the client off when it has sent
 * its statement. Resolves to the backend's pid.
 */
async function cutOffWhenSent(pool: Pool): Promise<number> {
  const taken = new Promise<{ stream: Socket; before: number; pid: number }>((resolve) => {
    pool.once('acquire', ({ connection: { stream }, processID: pid }) => {
      process.kill(pid, 'SIGSTOP')
      resolve({ stream, before: stream.bytesWritten, pid })
    })
  })
  const { stream, before, pid } = await taken
  await waitFor(() => stream.bytesWritten > before && stream.writableLength === 0, {
    what: 'the statement to be sent',
  })
  stream.destroy()
  return pid
}

const database = testDatabase()

describe('a claim that was given back', () => {
  const store = () => storeOn(database.pool({ max: 4 }), { mode: 'lease' })
  const LOCK = '7'
  const ask = `select oncekey.claim_lease_7(${LOCK}, $1, $2, $3, '["json1:abc"]', $4, 60000, $5,
    null) as answer`
  const argumentsOf = ({ namespace, scope, key, token, whenUnknown }: Claim) => [
    namespace,
    scope,
    key,
    token,
    whenUnknown === 'hold',
  ]

  async function giveBack(...claims: Claim[]): Promise<string[]> {
    const [row] = await database.query<{ given: string }>(
      'select oncekey.give_back_attempts($1) as given',
      [JSON.stringify(claims.map((claim) => ({ ...claim, lock: LOCK })))],
    )
    return JSON.parse(row?.given ?? '')
  }

  /** Gives the claim back while it is being committed, so that it is to be given back once more. */
  async function givenBackAtWork(claim: Claim): Promise<void> {
    const client = await database.pool().connect()
    await client.query('begin')
    await client.query(ask, argumentsOf(claim))
    expect(await giveBack(claim)).toEqual([])
    await client.query('commit')
    client.release()
  }

  async function late(claim: Claim): Promise<unknown> {
    const [row] = await database.query<{ answer: string }>(ask, argumentsOf(claim))
    return JSON.parse(row?.answer ?? '')
  }

  test('before it came wins nothing', async () => {
    const claim = claimOf()
    expect(await giveBack(claim)).toEqual([claim.token])
    expect(await late(claim)).toMatchObject({ state: 'in-progress' })
    expect(await late(again(claim))).toEqual({ state: 'run', number: 1 })
  })

  test('before it came takes nothing over', async () => {
    const first = claimOf()
    await attemptOf(await store().begin(first)).abandon()
    const claim = again(first)
    expect(await giveBack(claim)).toEqual([claim.token])
    expect(await late(claim)).toMatchObject({ state: 'in-progress' })
    expect(await late(again(first, { whenUnknown: 'hold' }))).toMatchObject({ state: 'unknown' })
  })

  test('after it came has its key free, and wins nothing when it comes once more', async () => {
    const claim = claimOf()
    expect(await late(claim)).toEqual({ state: 'run', number: 1 })
    expect(await giveBack(claim)).toEqual([claim.token])
    expect(await late(claim)).toMatchObject({ state: 'in-progress' })
    expect(await late(again(claim))).toEqual({ state: 'run', number: 1 })
  })

  test('while it is at work is given back once more', async () => {
    const claim = claimOf()
    await givenBackAtWork(claim)
    expect(await giveBack(claim)).toEqual([claim.token])
    expect(await late(again(claim))).toEqual({ state: 'run', number: 1 })
  })

  // A bug: the mark kept everybody from taking over an attempt that nobody ran, until an operator
  // came: the process had ended before it could give the claim back once more.
  describe('while it is at work, by a process that then dies', () => {
    test('leaves its key free', async () => {
      const claim = claimOf()
      await givenBackAtWork(claim)
      expect(await late(claim)).toMatchObject({ state: 'in-progress' })
      const next = await late(again(claim, { whenUnknown: 'hold' }))
      expect(next).toEqual({ state: 'run', number: 1 })
    })

    test('leaves an outcome unknown that was', async () => {
      const first = claimOf()
      await attemptOf(await store().begin(first)).abandon()
      await givenBackAtWork(again(first))
      expect(await late(again(first, { whenUnknown: 'hold' }))).toMatchObject({ state: 'unknown' })
      expect(await late(again(first))).toEqual({ state: 'run', number: 3 })
    })

    // A bug: the outcome counted as unknown, although it is certain that nothing ran.
    test.each(['runs', 'is over'])(
      'leaves its key free to a store in transaction mode: its lease %s',
      async (lease) => {
        const claim = claimOf()
        await givenBackAtWork(claim)
        if (lease === 'is over') {
          const text = `update oncekey.attempts set until = now() - interval '1 s' where key = $1`
          await database.query(text, [claim.key])
        }
        const transactional = storeOn(database.pool({ max: 4 }))
        const decision = await transactional.begin(again(claim, { whenUnknown: 'hold' }))
        const attempt = attemptOf(decision)
        expect(attempt.number).toBe(1)
        await attempt.release()
      },
    )

    test('leaves an outcome unknown to a store in transaction mode that was', async () => {
      const first = claimOf()
      await attemptOf(await store().begin(first)).abandon()
      await givenBackAtWork(again(first))
      const transactional = storeOn(database.pool({ max: 4 }))
      const held = await transactional.begin(again(first, { whenUnknown: 'hold' }))
      expect(held.kind).toBe('unknown')
      await attemptOf(await transactional.begin(again(first))).release()
    })

    test('leaves its key free to operators', async () => {
      const claim = claimOf()
      await givenBackAtWork(claim)
      const act = { actor: 'maria', note: 'nothing ran' }
      expect(await store().keys.release(claim, act)).toBe('absent')
      const next = await late(again(claim, { whenUnknown: 'hold' }))
      expect(next).toEqual({ state: 'run', number: 1 })
    })

    test('is taken by one of many', async () => {
      const claim = claimOf()
      await givenBackAtWork(claim)
      const said = await Promise.all(Array.from({ length: 50 }, () => late(again(claim))))
      expect(said.filter((each) => (each as { state: string }).state === 'run')).toHaveLength(1)
    })

    test('runs nothing while a transaction has the key', async () => {
      const claim = claimOf()
      await givenBackAtWork(claim)
      const client = await database.pool().connect()
      await client.query(`begin; select pg_advisory_xact_lock(${LOCK})`)
      expect(await late(again(claim))).toMatchObject({ state: 'in-progress', number: 1 })
      await client.query('rollback')
      client.release()
      expect(await late(again(claim))).toEqual({ state: 'run', number: 1 })
    })
  })

  test('is not renewed, nor written again as one that the database has lost', async () => {
    const claim = claimOf()
    await giveBack(claim)
    const renewal = { ...claim, ms: 60_000, fingerprint: 'json1:abc', number: 1 }
    const rows = await database.query('select oncekey.renew_leases_2($1, null) as held', [
      JSON.stringify([renewal]),
    ])
    expect(rows).toEqual([{ held: '[]' }])
    expect(await late(again(claim))).toEqual({ state: 'run', number: 1 })
  })

  test('leaves an attempt alone that another claim has', async () => {
    const [first, second] = [claimOf(), claimOf()]
    expect(await late(first)).toEqual({ state: 'run', number: 1 })
    const other = again(first)
    expect(await giveBack(other, second)).toEqual(
      [other.token, second.token].sort((one, two) => (one < two ? -1 : 1)),
    )
    expect(await late(first)).toEqual({ state: 'run', number: 1 })
  })
})
