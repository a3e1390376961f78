import { randomUUID } from 'node:crypto'
import type { Attempt } from '@oncekey/core'
import { type PostgresStoreOptions, postgresStore } from '@oncekey/postgres'
import { type TcpProxy, waitFor } from '@oncekey/test-servers'
import { afterEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'
import { bridges } from './driven/all.ts'
import type { Bridge } from './driven/bridge.ts'
import { codeOf, errorOf, whole } from './open-transactions.ts'

/** The message of an error, unwrapped: libraries wrap their driver's errors. */
function textOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${textOf(error.cause)}` : ''
}

describe.each(bridges)('$name', ({ open, lacks }) => {
  const database = testDatabase()
  withEscapes(database)
  const opened: Bridge[] = []
  const proxies: TcpProxy[] = []

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((bridge) => bridge.end()))
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
  })

  async function begin({
    max = 4,
    url = database.url(),
    ...options
  }: { max?: number; url?: string } & Omit<PostgresStoreOptions<unknown>, 'client'> = {}) {
    const bridge = await open({ url, max })
    opened.push(bridge)
    const store = postgresStore({ client: bridge.client, ...options })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    return { bridge, store, claim, attempt, tx: await attempt.transaction() }
  }

  describe('the transaction a handler gets', () => {
    test('is the library’s own, and what it writes commits with the response', async () => {
      const { bridge, attempt, tx, store, claim } = await begin()
      const id = randomUUID()
      expect(bridge.isOwn(tx)).toBe(true)
      await bridge.insert(tx, id)
      expect(await bridge.count(tx, id)).toBe(1)
      expect(await database.hasOrder(id)).toBe(false)
      expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
      expect(await database.hasOrder(id)).toBe(true)
      expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
      await whole(bridge)
    })

    describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
      const ends = {
        'is kept': (attempt: Attempt) => attempt.complete(kept('done')),
        'is refused': (attempt: Attempt) => attempt.complete(refused('no')),
        fails: (attempt: Attempt) => attempt.abandon(),
        'is released': (attempt: Attempt) => attempt.release(),
      }

      test.each(Object.entries(ends))(
        'that the handler committed itself, behind a comment, is not run again when it %s',
        async (_, end) => {
          const { bridge, attempt, tx, store, claim } = await begin({ mode })
          const id = randomUUID()
          await bridge.insert(tx, id)
          await bridge.raw(tx, unseen('commit'))
          await expect(end(attempt)).rejects.toMatchObject({ code: 'transaction-ended' })
          expect(await database.hasOrder(id)).toBe(true)
          expect(said(await store.begin(again(claim)))).toBe('result-gone')
          await whole(bridge)
        },
      )

      test.each(Object.entries(ends))(
        'whose SQL only mentions an end works like any other when it %s',
        async (_, end) => {
          const { bridge, attempt, tx, store, claim } = await begin({ mode })
          await bridge.raw(tx, "select case when true then 'commit' end as rollback")
          expect(await end(attempt)).toBe(
            _.startsWith('is ') && _ !== 'is released' ? 'stored' : undefined,
          )
          const next = await store.begin(again(claim))
          expect(said(next)).not.toBe('result-gone')
          if (next.kind === 'run') await next.attempt.release()
        },
      )

      // A bug: the server shows no start time for a transaction in which a statement has failed, so
      // the transaction counted as ended by the handler, and the key was spent although nothing was
      // done.
      test.each(['refused', 'released', 'abandoned'])(
        'whose SQL mentions an end, and in which a statement failed, does not spend its key when it is %s',
        async (how) => {
          const { bridge, attempt, tx, store, claim } = await begin({ mode })
          const id = randomUUID()
          await bridge.insert(tx, id)
          await bridge.raw(tx, 'select case when true then 1 end')
          await errorOf(() => bridge.insert(tx, id))
          if (how === 'refused') expect(await attempt.complete(refused('no'))).toBe('stored')
          else await attempt[how === 'released' ? 'release' : 'abandon']()
          expect(await database.hasOrder(id)).toBe(false)
          const next = await store.begin(again(claim))
          expect(said(next)).toBe(how === 'refused' ? 'replay 422 no' : 'run')
          if (next.kind === 'run') await next.attempt.release()
        },
      )
    })

    // A bug: with postgres.js, ROLLBACK or the handler's next statement was written to a closed
    // socket, which ended the process; or the handler was told that its transaction had ended with
    // the response.
    test.each(['release', 'complete'] as const)(
      'whose connection is lost is an error in its handler and undoes everything: then %s',
      async (then) => {
        const { bridge, attempt, tx, store, claim } = await begin()
        const id = randomUUID()
        await bridge.insert(tx, id)
        const sleeping = bridge
          .raw(tx, 'select pg_sleep(60)')
          .catch(async (first: unknown) => [
            first,
            await errorOf(() => bridge.insert(tx, randomUUID())),
          ])
        const killed = `select pg_terminate_backend(pid) from pg_stat_activity
          where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()
            and datname = current_database()`
        await waitFor(async () => (await database.query(killed)).length > 0, {
          what: 'the statement to be under way',
        })
        for (const error of await sleeping) {
          expect(textOf(error)).toMatch(/connection|terminat|ECONNRESET/i)
          expect(textOf(error)).not.toContain('with the response')
        }
        if (then === 'release') await attempt.release()
        else
          await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
            code: 'commit-failed',
          })
        expect(await database.hasOrder(id)).toBe(false)
        await waitFor(
          async () => {
            const next = await store.begin(again(claim))
            if (next.kind === 'run') await next.attempt.release()
            return next.kind === 'run'
          },
          { what: 'the key to be free' },
        )
      },
    )

    test('is undone by a refusal, and the refusal is replayed', async () => {
      const { bridge, attempt, tx, store, claim } = await begin()
      const id = randomUUID()
      await bridge.insert(tx, id)
      expect(await attempt.complete(refused('no'))).toBe('stored')
      expect(await database.hasOrder(id)).toBe(false)
      expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
      await whole(bridge)
    })

    test.each(['read committed', 'repeatable read', 'serializable'] as const)(
      'has isolation %s, whatever the default of the database',
      async (isolation) => {
        const url = new URL(database.url())
        const other = isolation === 'serializable' ? 'read\\ committed' : 'serializable'
        url.searchParams.set('options', `-c default_transaction_isolation=${other}`)
        const { bridge, attempt, tx } = await begin({ isolation, url: url.href })
        expect(await bridge.raw(tx, 'show transaction_isolation')).toEqual([
          // A plugin may change the column's name to camel case.
          expect.toSatisfy((row: object) => Object.values(row)[0] === isolation),
        ])
        expect(await attempt.complete(kept('done'))).toBe('stored')
      },
    )

    test('with an SQL error that the handler swallowed stores nothing and is an error', async () => {
      const { bridge, attempt, tx, store, claim } = await begin()
      const id = randomUUID()
      await bridge.insert(tx, id)
      await bridge.raw(tx, 'select 1 / 0').catch(() => {})
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
        code: 'transaction-aborted',
      })
      expect(await database.hasOrder(id)).toBe(false)
      await attemptOf(await store.begin(again(claim))).release()
      await whole(bridge)
    })

    test('with an SQL error that the handler undid with its own SAVEPOINT is stored, if the library can do that', async () => {
      const { bridge, attempt, tx, store, claim } = await begin()
      const id = randomUUID()
      await bridge.insert(tx, id)
      await bridge.raw(tx, 'savepoint mine')
      await bridge.raw(tx, 'select 1 / 0').catch(() => {})
      await bridge.raw(tx, 'rollback to savepoint mine')
      const completion = attempt.complete(kept('done'))
      if (lacks?.sqlSavepoints === undefined) {
        expect(await completion).toBe('stored')
      } else {
        await expect(completion).rejects.toMatchObject({
          code: 'transaction-aborted',
          message: expect.stringContaining('tx.savepoint('),
          cause: expect.objectContaining({ code: '22012' }),
        })
        await attemptOf(await store.begin(again(claim))).release()
      }
      expect(await database.hasOrder(id)).toBe(lacks?.sqlSavepoints === undefined)
      await whole(bridge)
    })

    test('leaves the library’s own savepoints alone, even if one fails', async ({ skip }) => {
      if (lacks?.nested !== undefined) return skip(lacks.nested)
      const { bridge, attempt, tx } = await begin()
      const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()]
      await bridge.insert(tx, first)
      const failing = bridge.nested?.(tx, async (inner) => {
        await bridge.insert(inner, second)
        await bridge.insert(inner, first)
      })
      await expect(failing).rejects.toThrow()
      await bridge.nested?.(tx, (inner) => bridge.insert(inner, third))
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await orders([first, second, third])).toEqual([true, false, true])
      await whole(bridge)
    })

    test('cannot be ended by the handler', async () => {
      const { bridge, attempt, tx } = await begin()
      const id = randomUUID()
      await bridge.insert(tx, id)
      for (const end of bridge.ends(tx)) {
        // Kysely's own types say that a transaction cannot be destroyed.
        expect(String(await errorOf(end))).toMatch(/Oncekey|is not supported/)
      }
      for (const text of ['commit', 'ROLLBACK', ' begin', "prepare transaction 'x'"]) {
        expect(codeOf(await errorOf(() => bridge.raw(tx, text)))).toBe('transaction-control')
      }
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await database.hasOrder(id)).toBe(true)
      await whole(bridge)
    })

    test('that the handler ended in SQL stores nothing and is an error', async () => {
      const { bridge, attempt, tx, store, claim } = await begin()
      await bridge.raw(tx, unseen('commit'))
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
        code: 'transaction-ended',
      })
      expect(said(await store.begin(again(claim)))).toBe('result-gone')
      await whole(bridge)
    })

    test('that violates a constraint deferred to COMMIT is the handler’s error', async () => {
      const table = `deferred_${randomUUID().slice(0, 8)}`
      await database.query(`create table ${table} (id int unique deferrable initially deferred)`)
      const { bridge, attempt, tx, store, claim } = await begin()
      await bridge.raw(tx, `insert into ${table} values (1), (1)`)
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
        code: 'transaction-aborted',
        cause: expect.objectContaining({ code: '23505' }),
      })
      await attemptOf(await store.begin(again(claim))).release()
      await whole(bridge)
    })

    test('that fails to serialize is superseded, even if only COMMIT finds out', async () => {
      const { bridge, store, attempt, tx } = await begin({ isolation: 'serializable' })
      const other = attemptOf(await store.begin(claimOf()))
      const otherTx = await other.transaction()
      for (const each of [tx, otherTx]) await bridge.raw(each, 'select count(*) from orders')
      await bridge.insert(tx, randomUUID())
      await bridge.insert(otherTx, randomUUID())
      expect(await attempt.complete(kept('one'))).toBe('stored')
      expect(await other.complete(kept('two'))).toBe('superseded')
      await whole(bridge)
    })
  })

  async function orders(ids: readonly string[]): Promise<boolean[]> {
    return await Promise.all(ids.map((id) => database.hasOrder(id)))
  }
})
