import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const database = testDatabase()
const poolers: Server[] = []

afterEach(() => {
  for (const pooler of poolers.splice(0)) pooler.close()
})

/**
 * A pooler with a fault that some have in transaction mode: the first time a client sends `text`,
 * it gets a session in which another client's transaction is open. If the client goes away, the
 * pooler closes the session.
 */
async function mixing(text: string): Promise<string> {
  let isDue = true
  const pooler = createServer((client) => {
    const server = connect(Number(new URL(database.url()).port), '127.0.0.1')
    for (const socket of [client, server]) socket.on('error', () => {})
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    const passDown = (chunk: Buffer): boolean => client.write(chunk)
    server.on('data', passDown)
    client.on('data', async (chunk) => {
      if (isDue && chunk.includes(text)) {
        isDue = false
        server.off('data', passDown)
        await openTransaction(server)
        server.on('data', passDown)
      }
      server.write(chunk)
    })
  })
  poolers.push(pooler)
  await once(pooler.listen(0, '127.0.0.1'), 'listening')
  const { port } = pooler.address() as { port: number }
  return Object.assign(new URL(database.url()), { hostname: '127.0.0.1', port }).href
}

/** Sends the other client's BEGIN, and keeps the answer, which ends with a ReadyForQuery. */
async function openTransaction(server: Socket): Promise<void> {
  const begin = Buffer.from('Q\0\0\0\nbegin\0')
  server.write(begin)
  let answer = Buffer.alloc(0)
  while (!answer.includes('Z\0\0\0\x05T')) {
    const [chunk] = (await once(server, 'data')) as [Buffer]
    answer = Buffer.concat([answer, chunk])
  }
}

// A bug: what ran in the other client's transaction was reported as committed, and was lost with
// it. After a lost claim the handler ran twice, and a lost response was never replayed.
describe.each(wires)('a pooler that mixes sessions up, $wire', ({ pipeline, prepare }) => {
  const elsewhere = () => storeOn(database.pool(), { mode: 'lease' })

  async function behind(text: string, mode: 'lease' | 'transaction' = 'lease') {
    const pool = database.pool({ connectionString: await mixing(text), max: 4, pipeline })
    return { pool, store: storeOn(pool, { mode, prepare }), claim: claimOf() }
  }

  async function ended(pool: Pool): Promise<void> {
    await pool.end()
    await waitFor(async () => (await database.locks()) === 0, { what: 'every lock to be let go' })
  }

  test('loses no claim of lease mode', async () => {
    const { pool, store, claim } = await behind('claim_lease_5(')
    const attempt = attemptOf(await store.begin(claim))
    expect(said(await elsewhere().begin(again(claim)))).toBe('in-progress')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(said(await elsewhere().begin(again(claim)))).toBe('replay 201 done')
    await ended(pool)
  })

  test.each([false, true])('loses no response, after a transaction: %s', async (isAfter) => {
    const { pool, store, claim } = await behind('complete_attempt_5(')
    const attempt = attemptOf(await store.begin(claim))
    if (isAfter) await attempt.transaction()
    const completion = isAfter ? refused('no') : kept('done', [eventOf()])
    expect(await attempt.complete(completion)).toBe('stored')
    expect(said(await elsewhere().begin(again(claim)))).toMatch(/^replay/)
    await ended(pool)
  })

  test('loses no renewal', async () => {
    const { pool, store, claim } = await behind('renew_leases_4(')
    const attempt = attemptOf(await store.begin(claim))
    expect(await attempt.renew(60_000)).toBe('held')
    const leases = 'select from oncekey.leases where token = $1'
    expect(await database.query(leases, [claim.token])).toHaveLength(1)
    await attempt.release()
    await ended(pool)
  })

  test('is noticed before a handler runs in the other client’s transaction', async () => {
    const { pool, store, claim } = await behind('claim_3(', 'transaction')
    await expect(store.begin(claim)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('another client'),
    })
    const free = await waitFor(
      async () => {
        const decision = await store.begin(again(claim))
        return decision.kind === 'run' && decision.attempt
      },
      { what: 'the session to be closed' },
    )
    expect(await free.complete(kept('done'))).toBe('stored')
    await ended(pool)
  })
})
