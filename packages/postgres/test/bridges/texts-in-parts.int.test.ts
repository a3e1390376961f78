import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { raw, sql as template } from '@electric-sql/pglite/template'
import { migrate, postgresStore, type SqlClient } from '@oncekey/postgres'
import { fromKysely } from '@oncekey/postgres/kysely'
import { fromPglite } from '@oncekey/postgres/pglite'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { Kysely, sql as kyselySql, PostgresDialect } from 'kysely'
import postgres from 'postgres'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { codeOf, errorOf } from './open-transactions.ts'

const database = testDatabase()

/** Sends what `send` makes, which must be refused, and then abandons and claims again. */
async function isRefused<Tx>(client: SqlClient<Tx>, send: (tx: Tx) => unknown) {
  const store = postgresStore({ client })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  const tx = await attempt.transaction()
  expect(codeOf(await errorOf(() => send(tx)))).toBe('transaction-control')
  await attempt.abandon()
  const next = await store.begin(again(claim))
  expect(said(next)).toBe('run')
  await attemptOf(next).release()
}

async function fileWith(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'oncekey-')), 'commit.sql')
  await writeFile(path, text)
  return path
}

// A bug: the guard saw only the outermost part of a text. A COMMIT in another part ended the
// transaction. On Kysely and PGlite nobody noticed: the key was freed, and the retry wrote again.
describe('a COMMIT in a part of a text that a library puts together', () => {
  const kysely = () => {
    const pool = database.pool({ max: 4 })
    return fromKysely(new Kysely<object>({ dialect: new PostgresDialect({ pool }) }), { pool })
  }

  test('is refused by the bridge of Kysely', async () => {
    const commit = kyselySql.raw('commit')
    await isRefused(kysely(), (tx) => kyselySql`${commit}`.execute(tx))
    await isRefused(kysely(), (tx) => kyselySql`select 1; ${kyselySql`commit`}`.execute(tx))
    await isRefused(kysely(), (tx) => kyselySql`${commit}`.execute(tx.withoutPlugins()))
  })

  test('is refused by the bridge of Kysely in a transaction of its own', async () => {
    await isRefused(kysely(), (tx) => tx.startTransaction().execute())
  })

  test('is refused by the bridge of postgres.js', async () => {
    const sql = postgres(database.url(), { max: 4, onnotice: () => {} })
    const client = () => fromPostgresJs(sql)
    await isRefused(client(), (tx) => tx`${tx`commit`}`)
    await isRefused(client(), (tx) => tx`${[tx`select 1;`, sql`commit`]}`.simple())
    await isRefused(client(), (tx) => tx`select 1; ${tx.unsafe('commit')}`.simple())
    // A bug: a part that is hidden in a helper hid the COMMIT beside it.
    const hidden = (tx: postgres.TransactionSql) => tx({ id: tx`'a'` } as never)
    await isRefused(client(), (tx) => tx`insert into orders ${hidden(tx)}; commit`.simple())
    await isRefused(client(), (tx) => tx`${tx`insert into orders ${hidden(tx)}`}; commit`.simple())
    const path = await fileWith('insert into orders values (1);\ncommit;\n')
    await isRefused(client(), (tx) => tx.file(path))
    await sql.end()
  })

  test('is refused by the bridge of PGlite', async () => {
    const db = new PGlite()
    const client = fromPglite(db)
    await migrate(client)
    await isRefused(client, (tx) => tx.sql`${raw`commit`}`)
    await isRefused(client, (tx) => tx.sql`${template`${raw`commit`}`}`)
    const hidden = { _templateType: 'part' } as never
    await isRefused(client, (tx) => tx.sql`select 1; commit; select ${hidden}`)
    await db.close()
  })
})

describe('sql.file of postgres.js', () => {
  test('sends the file with its values, and says when there is none', async () => {
    const sql = postgres(database.url(), { max: 2 })
    const store = postgresStore({ client: fromPostgresJs(sql) })
    const attempt = attemptOf(await store.begin(claimOf()))
    const tx = await attempt.transaction()
    const id = randomUUID()
    await tx.file(await fileWith('insert into orders values ($1)'), [id])
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)

    const other = attemptOf(await store.begin(claimOf()))
    const inOther = await other.transaction()
    await expect(inOther.file('/nowhere/at-all.sql')).rejects.toMatchObject({ code: 'ENOENT' })
    await other.release()
    await sql.end()
  })

  // A bug: postgres.js reads the file after every check, and then sends it on the connection, which
  // was in the next request's transaction by then.
  test('does not reach the connection if the file is read only after the response', async () => {
    const sql = postgres(database.url(), { max: 1 })
    const store = postgresStore({ client: fromPostgresJs(sql) })
    const pipe = join(await mkdtemp(join(tmpdir(), 'oncekey-')), 'late.sql')
    execFileSync('mkfifo', [pipe])
    const attempt = attemptOf(await store.begin(claimOf()))
    const tx = await attempt.transaction()
    const id = randomUUID()
    const late = errorOf(() => tx.file(pipe))
    await setImmediate()
    expect(await attempt.complete(kept('done'))).toBe('stored')
    const next = attemptOf(await store.begin(claimOf()))
    await next.transaction()
    await writeFile(pipe, `insert into orders values ('${id}')`)
    expect(codeOf(await late)).toBe('transaction-over')
    expect(await next.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(false)
    await sql.end()
  })
})
