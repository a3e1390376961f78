import type { Store } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { bridges } from '../bridges/driven/all.ts'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const database = testDatabase()
const modes = ['transaction', 'lease'] as const
/** Its UTF-8 is other text in LATIN1. */
const scope = 'José'
const LEFT = "set client_encoding = 'LATIN1'"

/** Leaves another encoding in each session of the pool. */
async function leave(pool: Pool): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 3 }, () => pool.connect()))
  for (const client of clients) await client.query(LEFT)
  for (const client of clients) client.release()
}

async function finished(store: Store) {
  const claim = claimOf({ scope })
  expect(await attemptOf(await store.begin(claim)).complete(kept('José'))).toBe('stored')
  return claim
}

describe.each(wires)('sessions that were left in another encoding, $wire', (wire) => {
  const { pipeline, prepare } = wire

  // A bug: the claim was sent again behind a RESET, in one message with its values in the text. The
  // server had converted the message before the RESET, so it looked for the key under another
  // scope, did not find it, and the handler ran again. In lease mode both runs were stored.
  test.each(modes)('know a key that is finished, in %s mode', async (mode) => {
    const claim = await finished(storeOn(database.pool({ max: 3 }), { mode }))
    const pool = database.pool({ max: 3, pipeline })
    const known = storeOn(pool, { mode, prepare })
    await leave(pool)
    expect(said(await known.begin(again(claim)))).toBe('replay 201 José')
    // Nobody has listened to these connections.
    const older = database.pool({ max: 3, pipeline })
    await leave(older)
    const late = storeOn(older, { mode, prepare })
    expect(said(await late.begin(again(claim)))).toBe('replay 201 José')
    const scopes = 'select scope from oncekey.records union select scope from oncekey.attempts'
    expect(await database.query(scopes)).toEqual([{ scope }])
  })

  // A bug: the statement found no attempt under the other scope, so the key stayed taken until the
  // lease was over, and was `unknown` then.
  test.each(['release', 'abandon', 'refuse'] as const)(
    'end an attempt of lease mode: %s',
    async (end) => {
      const pool = database.pool({ max: 3, pipeline })
      const store = storeOn(pool, { mode: 'lease', prepare, maxConcurrent: 1 })
      const claim = claimOf({ scope, whenUnknown: 'hold' })
      const attempt = attemptOf(await store.begin(claim))
      // The third is reserved for renewals.
      const clients = [await pool.connect(), await pool.connect()]
      for (const client of clients) await client.query(LEFT)
      for (const client of clients) client.release()
      if (end === 'refuse') expect(await attempt.complete(refused('no'))).toBe('stored')
      else await attempt[end]()
      const retry = await storeOn(database.pool({ max: 3 }), { mode: 'lease' }).begin(again(claim))
      const then = { release: 'run', abandon: 'unknown', refuse: 'replay 422 no' }
      expect(said(retry)).toBe(then[end])
      if (retry.kind === 'run') await retry.attempt.release()
    },
  )

  // A bug: our statement was sent behind a SET that had not been answered, so nobody had heard of
  // the encoding yet. The release found no attempt, said so to nobody, and the key stayed taken.
  test.each(['release', 'abandon'] as const)(
    'end an attempt on a connection that is only being set so: %s',
    async (end) => {
      const pool = database.pool({ max: 3, pipeline })
      const store = storeOn(pool, { mode: 'lease', prepare, maxConcurrent: 1 })
      const claim = claimOf({ scope, whenUnknown: 'hold' })
      const attempt = attemptOf(await store.begin(claim))
      const taken = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()))
      let opened = 0
      pool.on('connect', (client) => {
        opened++
        void client.query(LEFT)
      })
      await attempt[end]()
      expect(opened).toBe(1)
      for (const client of taken) client.release()
      const retry = await storeOn(database.pool({ max: 3 }), { mode: 'lease' }).begin(again(claim))
      expect(said(retry)).toBe(end === 'release' ? 'run' : 'unknown')
      if (retry.kind === 'run') await retry.attempt.release()
    },
  )

  test.each(modes)('are set back where a pool opens them so, in %s mode', async (mode) => {
    const claim = await finished(storeOn(database.pool({ max: 3 }), { mode }))
    const pool = database.pool({ max: 3, pipeline })
    const store = storeOn(pool, { mode, prepare })
    pool.on('connect', (client) => void client.query(LEFT))
    expect(said(await store.begin(again(claim)))).toBe('replay 201 José')
    await finished(store)
  })

  // A bug: the events were written as other text.
  test('keep the text of events', async () => {
    const pool = database.pool({ max: 3, pipeline })
    const store = storeOn(pool, { prepare })
    await leave(pool)
    const event = eventOf({ data: '{"name":"José"}' })
    const attempt = await store.open({ leaseMs: 60_000 })
    expect(await attempt.complete(kept('done', [event]))).toBe('stored')
    const data = 'select data::text from oncekey.outbox where id = $1'
    expect(await database.query(data, [event.id])).toEqual([{ data: event.data }])
  })
})

describe.each(bridges)('sessions of $name that were left in another encoding', ({ open }) => {
  test('know a key that is finished', async () => {
    const claim = await finished(storeOn(database.pool({ max: 3 })))
    const bridge = await open({ url: database.url(), max: 3 })
    const store = postgresStore({ client: bridge.client, maxConcurrent: 2 })
    // A route without a key that sets an encoding for good and writes nothing of ours.
    for (let round = 0; round < 3; round++) {
      const attempt = await store.open({ leaseMs: 60_000 })
      await bridge.raw(await attempt.transaction(), LEFT)
      expect(await attempt.complete(kept('done'))).toBe('stored')
    }
    const decision = await waitFor(() => store.begin(again(claim)).catch(() => undefined), {
      what: 'a session to be set right',
    })
    expect(said(decision)).toBe('replay 201 José')
    await bridge.end()
  })
})
