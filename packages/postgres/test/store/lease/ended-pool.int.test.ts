import type { Claim } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { startPostgres, startProxy, waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { bridges } from '../../bridges/driven/all.ts'
import { again, attemptOf, claimOf, kept, refused, said as sayOf } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const database = testDatabase()

const ends = [
  ['a response', kept('done'), 'replay 201 done'],
  ['a refusal', refused('no'), 'replay 422 no'],
] as const

// A bug: the error said that it was unknown whether the response was committed, but the response
// was never sent.
describe.each(bridges)('a pool that is ended in the middle of a request, $name', ({ open }) => {
  test.each(ends)(
    'stores %s if it still has a connection, and says so if not',
    async (_, end, said) => {
      const bridge = await open({ url: database.url(), max: 3 })
      const store = postgresStore({ client: bridge.client, mode: 'lease', commitTimeoutMs: 1_000 })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      // After this, the renewals have a connection.
      expect(await attempt.renew(60_000)).toBe('held')
      const ended = bridge.end()
      if (bridge.client.reserve === undefined) {
        await expect(attempt.complete(end)).rejects.toMatchObject(NOT_STORED)
        await decidedByLease(claim)
      } else {
        expect(await attempt.complete(end)).toBe('stored')
        expect(sayOf(await nextStore().begin(again(claim)))).toBe(said)
      }
      await ended
    },
  )
})

test.each(ends)('a pool of pg that is being ended stores %s', async (_, end, said) => {
  const pool = database.pool({ max: 3 })
  const claim = claimOf()
  const attempt = attemptOf(await storeOn(pool, { mode: 'lease' }).begin(claim))
  expect(await attempt.renew(60_000)).toBe('held')
  const ended = pool.end()
  expect(await attempt.complete(end)).toBe('stored')
  await ended
  expect(sayOf(await nextStore().begin(again(claim)))).toBe(said)
})

test('a server that takes no new connection in the middle of a request says so, too', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const pool = database.pool({ connectionString: proxy.through(database.url()), max: 3 })
  const claim = claimOf()
  const attempt = attemptOf(await storeOn(pool, { mode: 'lease' }).begin(claim))
  proxy.refuse()
  proxy.cut()
  await waitFor(() => pool.idleCount === 0, { what: 'the pool to have lost its connections' })
  await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
  await proxy.stop()
  await decidedByLease(claim)
})

// A bug: the response was lost, and the handler ran again after the lease, although the renewals
// had a connection all the time.
test.each(ends)('a server that has no connection left stores %s', async (_, end, said) => {
  const server = await startPostgres({ settings: { max_connections: '12' } })
  const [pool, others] = [3, 12].map((max) => new Pool({ connectionString: server.url, max })) as [
    Pool,
    Pool,
  ]
  try {
    await migrate(others)
    const claim = claimOf()
    const attempt = attemptOf(await storeOn(pool, { mode: 'lease' }).begin(claim))
    expect(await attempt.renew(60_000)).toBe('held')
    while (pool.idleCount > 0) (await pool.connect()).release(true)
    const taken = await takeAll(others)
    const outcome = await attempt.complete(end).catch((error) => error)
    for (const client of taken) client.release()
    expect(outcome).toBe('stored')
    const next = storeOn(others, { mode: 'lease' })
    expect(sayOf(await next.begin(again(claim)))).toBe(said)
  } finally {
    await Promise.all([pool.end(), others.end()])
    await server.stop()
  }
})

/** Every connection that the server still has. */
async function takeAll(pool: Pool): Promise<PoolClient[]> {
  const taken: PoolClient[] = []
  for (;;) {
    try {
      taken.push(await pool.connect())
    } catch (error) {
      expect(error).toMatchObject({ code: '53300' })
      return taken
    }
  }
}

const NOT_STORED = {
  code: 'commit-failed',
  message: expect.stringMatching(/^The response was not stored.*until its lease ends/),
}

async function decidedByLease(claim: Claim): Promise<void> {
  const next = nextStore()
  expect(sayOf(await next.begin(again(claim)))).toBe('in-progress')
  for (const table of ['attempts', 'leases']) {
    await database.query(`update oncekey.${table} set until = now() where token = $1`, [
      claim.token,
    ])
  }
  expect(sayOf(await next.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
  const retaken = attemptOf(await next.begin(again(claim)))
  expect(retaken.number).toBe(2)
  expect(await retaken.complete(kept('again'))).toBe('stored')
}

function nextStore() {
  return storeOn(database.pool({ max: 3 }), { mode: 'lease' })
}
