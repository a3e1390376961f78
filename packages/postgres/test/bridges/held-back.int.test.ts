import { randomUUID } from 'node:crypto'
import type { Attempt } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { everyBridge } from './driven/all.ts'

const undone = {
  refused: async (attempt: Attempt) => expect(await attempt.complete(refused('no'))).toBe('stored'),
  released: (attempt: Attempt) => attempt.release(),
  abandoned: (attempt: Attempt) => attempt.abandon(),
} as const

describe.each(everyBridge)('$name, several statements at once', ({ open }) => {
  const database = testDatabase()

  async function begin(mode: 'transaction' | 'lease') {
    const bridge = await open({ url: database.url(), max: 4 })
    const store = postgresStore({ client: bridge.client, mode })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    return { bridge, store, claim, attempt, tx: await attempt.transaction() }
  }

  // A bug: Kysely sends a statement only once the one before it is answered, but ROLLBACK at once.
  // So one of three writes was sent after the ROLLBACK and committed by itself, and the retry wrote
  // it again.
  describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
    test.each(Object.entries(undone))(
      'the first fails, and the request is %s: none of the others is written',
      async (_, end) => {
        const { bridge, attempt, tx } = await begin(mode)
        const [taken, ...ids] = Array.from({ length: 6 }, () => randomUUID()) as [string]
        await bridge.insert(tx, taken)
        const writes = [taken, ...ids].map(async (id) => bridge.insert(tx, id))
        await expect(Promise.all(writes)).rejects.toThrow()
        await end(attempt)
        await Promise.allSettled(writes)
        for (const id of ids) expect(await database.hasOrder(id)).toBe(false)
        await bridge.end()
      },
    )
  })

  test('nobody awaits them, and the request is kept: each is written, or fails', async () => {
    const { bridge, store, claim, attempt, tx } = await begin('transaction')
    const ids = Array.from({ length: 5 }, () => randomUUID())
    const over = Promise.allSettled(ids.map(async (id) => bridge.insert(tx, id)))
    expect(await attempt.complete(kept('done'))).toBe('stored')
    for (const [at, { status }] of (await over).entries()) {
      expect(await database.hasOrder(ids[at] as string)).toBe(status === 'fulfilled')
    }
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
    await bridge.end()
  })
})
