import { randomUUID } from 'node:crypto'
import type { Attempt } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { bridges } from '../bridges/driven/all.ts'
import { again, attemptOf, claimOf, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'

const ends = {
  refused: (attempt: Attempt) => attempt.complete(refused('no')),
  released: (attempt: Attempt) => attempt.release(),
  abandoned: (attempt: Attempt) => attempt.abandon(),
} as const

// A bug: only another connection was asked whether the handler had ended its transaction. If there
// was no other connection, or the server hid the state, the key was freed and the retry wrote
// again.
describe.each(bridges)('$name: a COMMIT of the handler that went past the guard', ({ open }) => {
  const database = testDatabase()
  withEscapes(database)

  test.each(Object.entries(ends))(
    'is seen on a server that hides what its sessions do: %s',
    async (_, end) => {
      const url = new URL(database.url())
      url.searchParams.set('options', '-c track_activities=off')
      const bridge = await open({ url: url.href, max: 4 })
      const store = postgresStore({ client: bridge.client })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const [id, tx] = [randomUUID(), await attempt.transaction()]
      await bridge.insert(tx, id)
      await bridge.raw(tx, unseen('commit'))
      await expect(end(attempt)).rejects.toMatchObject({ code: 'transaction-ended' })
      expect(await database.hasOrder(id)).toBe(true)
      expect(said(await store.begin(again(claim)))).toBe('result-gone')
      await bridge.end()
    },
  )
})

describe('while every connection of the pool is in use', () => {
  const database = testDatabase()
  withEscapes(database)

  test.each(Object.entries(ends))(
    'a COMMIT of the handler that went past the guard is seen: %s',
    async (_, end) => {
      const pool = database.pool({ max: 2 })
      const store = postgresStore({ client: pool, maxConcurrent: 1, acquireTimeoutMs: 2_000 })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const [id, tx] = [randomUUID(), await attempt.transaction()]
      await tx.query('insert into orders values ($1)', [id])
      await tx.query(unseen('commit'))
      const busy = await pool.connect()
      await expect(end(attempt)).rejects.toMatchObject({ code: 'transaction-ended' })
      expect(await database.hasOrder(id)).toBe(true)
      expect(said(await store.begin(again(claim)))).toBe('result-gone')
      busy.release()
    },
  )
})
