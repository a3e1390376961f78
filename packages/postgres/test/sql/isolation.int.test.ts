import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { claimKey } from '../../src/sql/claim-key.ts'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const CLIENTS = 16
const KEYS = 960

describe('serializable, different keys on an empty table', () => {
  const database = testDatabase()

  test('do not conflict, with 960 keys, 16 at a time', async () => {
    const pool = database.pool({ max: 2 * CLIENTS })
    const store = storeOn(pool, { isolation: 'serializable', maxConcurrent: CLIENTS })
    const outcomes = await together(async () => {
      const attempt = attemptOf(await store.begin(claimOf()))
      const tx = await attempt.transaction()
      await tx.query('insert into orders values ($1)', [randomUUID()])
      return attempt.complete(kept('done'))
    })
    expect(outcomes).toEqual({ stored: KEYS })
  })

  test('conflict nearly always if the record is read inside the transaction', async () => {
    await database.query('create table naive (key text primary key)')
    const pool = database.pool({ max: CLIENTS })
    const outcomes = await together(() => naive(pool))
    expect(outcomes['40001']).toBeGreaterThan(KEYS / 10)
  })

  async function naive(pool: Pool): Promise<string> {
    const key = randomUUID()
    const client = await pool.connect()
    try {
      await client.query('begin isolation level serializable')
      await client.query('select from naive where key = $1', [key])
      await client.query('insert into orders values ($1)', [key])
      await client.query('insert into naive values ($1)', [key])
      await client.query('commit')
      return 'stored'
    } catch (error) {
      await client.query('rollback')
      return (error as { code: string }).code
    } finally {
      client.release()
    }
  }
})

describe.each(['read committed', 'repeatable read', 'serializable'] as const)(
  'isolation %s',
  (isolation) => {
    const database = testDatabase()

    test('applies to the handler, whatever the default of the session', async () => {
      const pool = database.pool({ options: '-c default_transaction_isolation=serializable' })
      const store = storeOn(pool, { isolation })
      const attempt = attemptOf(await store.begin(claimOf()))
      const { rows } = await (await attempt.transaction()).query('show transaction_isolation')
      expect(rows).toEqual([{ transaction_isolation: isolation }])
      await attempt.release()
      const keyless = await store.open({ leaseMs: 1_000 })
      const tx = await keyless.transaction()
      expect((await tx.query('show transaction_isolation')).rows).toEqual(rows)
      await keyless.release()
    })

    test.each(wires)(
      'makes a completion `superseded` if another record exists, and keeps nothing: $wire',
      async ({ pipeline, prepare }) => {
        const store = storeOn(database.pool({ pipeline }), { isolation, prepare })
        const claim = claimOf()
        const id = randomUUID()
        const attempt = attemptOf(await store.begin(claim))
        await (await attempt.transaction()).query('insert into orders values ($1)', [id])
        // Simulates two attempts that both got the lock: the guarantee rests on the primary key.
        await database.query(
          `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
         values ($1, $2, $3, $4, 200, '[]', 'theirs')`,
          [claim.namespace, claim.scope, claim.key, claim.fingerprints[0]],
        )
        expect(await attempt.complete(kept('ours'))).toBe('superseded')
        expect(said(await store.begin(again(claim)))).toBe('replay 200 theirs')
        expect(await database.hasOrder(id)).toBe(false)
      },
    )

    test('makes a completion wait for another record that is being committed', async () => {
      const store = storeOn(database.pool(), { isolation })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const other = await database.pool().connect()
      await other.query('begin')
      await other.query(
        `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
         values ($1, $2, $3, $4, 200, '[]', 'theirs')`,
        [claim.namespace, claim.scope, claim.key, claim.fingerprints[0]],
      )
      const outcome = attempt.complete(kept('ours'))
      await waitFor(
        async () =>
          (
            await database.query(
              `select from pg_stat_activity
                 where wait_event = 'transactionid' and datname = current_database()`,
            )
          ).length === 1,
        { what: 'the completion to meet the other record' },
      )
      await other.query('commit')
      other.release()
      expect(await outcome).toBe('superseded')
      expect(said(await store.begin(again(claim)))).toBe('replay 200 theirs')
    })
  },
)

describe('a refusal', () => {
  const database = testDatabase()

  test('is `superseded` if another attempt got the key before the refusal could be stored', async () => {
    const store = storeOn(database.pool())
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    // Takes the lock as the next attempt would, from the moment when the writes are undone.
    const next = await database.pool().connect()
    await next.query('begin')
    const { lock } = claimKey('oncekey', claim)
    const locked = next.query('select pg_advisory_xact_lock($1::bigint)', [lock])
    await waitFor(async () => (await database.locks({ waitedFor: true })) === 1, {
      what: 'the next attempt to wait',
    })
    expect(await attempt.complete(refused('no'))).toBe('superseded')
    await locked
    expect(said(await store.begin(again(claim)))).toBe('in-progress')
    await next.query('rollback')
    next.release()
    await attemptOf(await store.begin(again(claim))).release()
  })
})

describe('serializable', () => {
  const database = testDatabase()

  test.each(wires)(
    'makes a completion `superseded` if a conflict shows at COMMIT: $wire',
    async (wire) => {
      const { pipeline, prepare } = wire
      await database.query('drop table if exists doctors')
      await database.query('create table doctors (name text primary key, on_call boolean)')
      await database.query("insert into doctors values ('alice', true), ('bob', true)")
      const store = storeOn(database.pool({ pipeline }), { isolation: 'serializable', prepare })
      const leave = async (name: string) => {
        const attempt = attemptOf(await store.begin(claimOf()))
        const tx = await attempt.transaction()
        await tx.query('select count(*) from doctors where on_call')
        await tx.query('update doctors set on_call = false where name = $1', [name])
        return attempt
      }
      const [alice, bob] = [await leave('alice'), await leave('bob')]
      expect(await alice.complete(kept('left'))).toBe('stored')
      expect(await bob.complete(kept('left'))).toBe('superseded')
      expect(await database.query('select name from doctors where on_call')).toEqual([
        { name: 'bob' },
      ])
    },
  )
})

async function together(one: () => Promise<string>): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {}
  let left = KEYS
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const outcome = await one()
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return outcomes
}
