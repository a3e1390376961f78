import { randomUUID } from 'node:crypto'
import type { Decision } from '@oncekey/core'
import { startNode, startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from './claims.ts'
import { storeOn, testDatabase } from './test-database.ts'

const LEASE_MS = 1_500

const database = testDatabase()
const store = () => storeOn(database.pool({ max: 3 }), { mode: 'lease' })

async function worker(steps: string, { url = database.url(), leaseMs = LEASE_MS } = {}) {
  const [key, order] = [randomUUID(), randomUUID()]
  const child = await startNode(new URL('./children/lease-worker.ts', import.meta.url), {
    env: { DATABASE_URL: url, KEY: key, ORDER: order, LEASE_MS: `${leaseMs}`, STEPS: steps },
  })
  return { child, claim: claimOf({ key }), order }
}

describe('a process that is killed', () => {
  test.each([
    ['after its claim', ''],
    ['with its transaction open', 'transaction'],
    ['after its first write', 'write'],
  ])('%s leaves an unknown outcome when its lease is over, and no write', async (_, steps) => {
    const { child, claim, order } = await worker(steps)
    child.kill('SIGKILL')
    await child.exited
    const ours = store()
    // Until then the key is taken: whether a handler still runs somewhere, nobody knows.
    const held = await outlasted(() => ours.begin(again(claim, { whenUnknown: 'hold' })))
    expect(held.kind).toBe('unknown')
    const retaken = attemptOf(await ours.begin(again(claim)))
    expect(retaken.number).toBe(2)
    expect(await retaken.complete(kept('by the second'))).toBe('stored')
    expect(await database.hasOrder(order)).toBe(false)
    expect(said(await ours.begin(again(claim)))).toBe('replay 201 by the second')
  })

  test('in COMMIT, which the server had: the retry is a replay, and the write is there', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const { child, claim, order } = await worker('write stop complete', {
      url: proxy.through(database.url()),
    })
    proxy.stallDownstream()
    child.kill('SIGCONT')
    await waitFor(() => database.hasOrder(order), { what: 'the commit' })
    child.kill('SIGKILL')
    await child.exited
    expect(said(await store().begin(again(claim)))).toBe('replay 201 by the child')
    await proxy.stop()
  })

  test('in COMMIT, which the server did not have: unknown at the end of the lease, no write', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const { child, claim, order } = await worker('write stop complete', {
      url: proxy.through(database.url()),
    })
    proxy.stallUpstream()
    child.kill('SIGCONT')
    child.kill('SIGKILL')
    await child.exited
    proxy.cut()
    const ours = store()
    const held = await outlasted(() => ours.begin(again(claim, { whenUnknown: 'hold' })))
    expect(held.kind).toBe('unknown')
    expect(await database.hasOrder(order)).toBe(false)
    await proxy.stop()
  })
})

describe('a process that is stopped and wakes up after its lease', () => {
  test('gets no transaction, and cannot complete: another attempt has the key', async () => {
    const { child, claim, order } = await worker('stop write complete')
    const ours = store()
    const retaken = attemptOf(await outlasted(() => ours.begin(again(claim))))
    child.kill('SIGCONT')
    await child.waitForLine((line) => line.includes('"complete"'))
    expect(child.output()).toContain('{"step":"write","outcome":"transaction-over"}')
    expect(child.output()).toContain('{"step":"complete","outcome":"superseded"}')
    expect(await retaken.complete(kept('by the second'))).toBe('stored')
    expect(await database.hasOrder(order)).toBe(false)
    child.kill()
  })

  test('with its transaction open, it has the key still, and completes', async () => {
    const { child, claim, order } = await worker('write stop complete', { leaseMs: 300 })
    const ours = store()
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
    expect(said(await ours.begin(again(claim)))).toBe('in-progress')
    const waiter = ours.begin(again(claim, { waitMs: 30_000 }))
    child.kill('SIGCONT')
    expect(said(await waiter)).toBe('replay 201 by the child')
    expect(await database.hasOrder(order)).toBe(true)
    child.kill()
  })
})

/** The first answer that is not `in-progress`. */
async function outlasted(ask: () => Promise<Decision<PoolClient>>): Promise<Decision<PoolClient>> {
  return await waitFor(
    async () => {
      const decision = await ask()
      return decision.kind !== 'in-progress' && decision
    },
    { what: 'the lease to be over' },
  )
}
