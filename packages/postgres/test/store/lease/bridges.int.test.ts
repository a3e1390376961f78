import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bridges } from '../../bridges/driven/all.ts'
import type { Bridge } from '../../bridges/driven/bridge.ts'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { testDatabase } from '../../database/test-database.ts'

describe.each(bridges)('lease mode through $name', ({ open }) => {
  const database = testDatabase()
  let bridge: Bridge
  beforeAll(async () => {
    bridge = await open({ url: database.url(), max: 4 })
  })
  afterAll(() => bridge.end())

  test('renews, takes over, fences and commits as through a pool of pg', async () => {
    const store = postgresStore({ client: bridge.client, mode: 'lease' })
    const claim = claimOf()
    const stale = attemptOf(await store.begin(claim))
    expect(await stale.renew(1)).toBe('held')
    const decision = await waitFor(
      async () => {
        const answer = await store.begin(again(claim))
        return answer.kind !== 'in-progress' && answer
      },
      { what: 'the lease to be over' },
    )
    const owner = attemptOf(decision)
    expect(owner.number).toBe(2)
    await expect(stale.transaction()).rejects.toMatchObject({ code: 'transaction-over' })
    expect(await stale.complete(kept('stale'))).toBe('superseded')

    const [other, id] = [claimOf(), randomUUID()]
    const attempt = attemptOf(await store.begin(other))
    await bridge.insert(await attempt.transaction(), id)
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
    expect(said(await store.begin(again(other)))).toBe('replay 201 done')
    await owner.release()
  })
})
