import { randomUUID } from 'node:crypto'
import type { Decision } from '@oncekey/core'
import { startNode, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const LEASE_MS = 1_500

const database = testDatabase()
const store = () => storeOn(database.pool({ max: 3 }), { mode: 'lease' })

async function worker(steps: string, leaseMs = LEASE_MS) {
  const [key, order] = [randomUUID(), randomUUID()]
  const child = await startNode(new URL('../../children/lease-worker.ts', import.meta.url), {
    env: {
      DATABASE_URL: database.url(),
      KEY: key,
      ORDER: order,
      LEASE_MS: `${leaseMs}`,
      STEPS: steps,
    },
  })
  return { child, claim: claimOf({ key }), order }
}

describe('a process that is stopped and continues after its lease', () => {
  test('gets no transaction and cannot complete, because another attempt has the key', async () => {
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

  test('still has the key and completes if its transaction is open', async () => {
    const { child, claim, order } = await worker('write stop complete', 300)
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

/** The first decision that is not `in-progress`. */
async function outlasted(ask: () => Promise<Decision<PoolClient>>): Promise<Decision<PoolClient>> {
  return await waitFor(
    async () => {
      const decision = await ask()
      return decision.kind !== 'in-progress' && decision
    },
    { what: 'the lease to be over' },
  )
}
