import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import pg, { type PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'

const insert = 'insert into orders values ($1)'

describe.each(wires)('the transaction a handler gets, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  withEscapes(database)
  const begin = async (max = 4) => {
    const pool = database.pool({ max, pipeline })
    const store = storeOn(pool, { prepare })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    return { pool, store, claim, attempt, tx: await attempt.transaction() }
  }

  test.each([
    'commit',
    ' COMMIT;',
    'end',
    'abort',
    'rollback',
    'ROLLBACK WORK',
    'rollback and chain',
    'begin',
    'Begin Isolation Level Serializable',
    'start   transaction',
    "prepare transaction 'x'",
    ';commit',
    '/* mine */ commit',
    '-- mine\nrollback',
    'select 1; commit',
    'select 1; commit; begin',
  ])('refuses %j and says what to do instead', async (text) => {
    const { attempt, tx } = await begin()
    await expect(tx.query(text)).rejects.toMatchObject({
      code: 'transaction-control',
      message: expect.stringMatching(/commits it with the response.*SAVEPOINT/),
    })
    await expect(tx.query({ text })).rejects.toMatchObject({ code: 'transaction-control' })
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test('leaves savepoints alone', async () => {
    const { attempt, tx } = await begin()
    const [first, second] = [randomUUID(), randomUUID()]
    await tx.query(insert, [first])
    await tx.query('savepoint mine')
    await expect(tx.query(insert, [first])).rejects.toMatchObject({ code: '23505' })
    await tx.query('rollback to mine')
    await tx.query('ROLLBACK TRANSACTION TO SAVEPOINT mine')
    await tx.query('release savepoint mine')
    await tx.query(insert, [second])
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(second)).toBe(true)
  })

  test.each(['release', 'end', 'connect'] as const)('refuses %s()', async (method) => {
    const { attempt, tx } = await begin()
    expect(() => tx[method]()).toThrow(expect.objectContaining({ code: 'transaction-control' }))
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test('otherwise behaves like the client of the pool', async () => {
    const { attempt, tx } = await begin()
    expect(tx).toBeInstanceOf(pg.Client)
    expect(tx.escapeIdentifier('a"b')).toBe('"a""b"')
    expect(tx.on('notice', () => {})).toBe(tx)
    const rows = await new Promise((resolve, reject) => {
      tx.query('select 1 as one', (error: Error, result: pg.QueryResult) =>
        error ? reject(error) : resolve(result.rows),
      )
    })
    expect(rows).toEqual([{ one: 1 }])
    const query = tx.query(new pg.Query('select 2 as two'))
    const row = await new Promise((resolve) => query.on('row', resolve))
    expect(row).toEqual({ two: 2 })
    await attempt.release()
  })

  // A bug: an audit insert after the response ran inside the next request's transaction.
  test('never reaches a connection once the response is stored', async () => {
    const { attempt, tx, store } = await begin(2)
    const bound = tx.query.bind(tx)
    expect(await attempt.complete(kept('done'))).toBe('stored')
    const next = attemptOf(await store.begin(claimOf()))
    const late = randomUUID()
    for (const query of [() => tx.query(insert, [late]), () => bound(insert, [late])]) {
      await expect(query()).rejects.toMatchObject({ code: 'transaction-over' })
    }
    expect(() => tx.escapeIdentifier('a')).toThrow(/ended with the response/)
    expect(() => tx.query(new pg.Query('select 1'))).toThrow(/ended with the response/)
    const error = await new Promise((resolve) => {
      tx.query(insert, [late], resolve as () => void)
    })
    expect(error).toMatchObject({ code: 'transaction-over' })
    expect(await next.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(late)).toBe(false)
  })

  test('as the bare client, would run in the next request’s transaction', async () => {
    const pool = database.pool({ max: 1, pipeline })
    const late = randomUUID()
    const ours = await pool.connect()
    await ours.query('begin')
    await ours.query('commit')
    ours.release()
    const next = await pool.connect()
    await next.query('begin')
    await ours.query(insert, [late])
    await next.query('rollback')
    next.release()
    expect(await database.hasOrder(late)).toBe(false)
  })

  test.each([
    ['a COMMIT', unseen('commit')],
    ['a ROLLBACK', unseen('rollback')],
    ['a COMMIT with a new transaction behind it', unseen('commit; begin')],
  ])('ended by %s that was not seen stores nothing and is an error', async (_, text) => {
    const { attempt, tx, pool, store, claim } = await begin()
    const late = randomUUID()
    await tx.query(text)
    await tx.query(insert, [late])
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-ended',
      message: expect.stringContaining('Leave the end of the transaction to Oncekey'),
    })
    await whole(pool)
    expect(said(await store.begin(again(claim)))).toBe('result-gone')
  })

  test('a completion after the handler’s COMMIT is no error unless the transaction is checked', async () => {
    const client = await database.pool({ pipeline }).connect()
    const late = randomUUID()
    await client.query('begin')
    await client.query('commit')
    await client.query(insert, [late])
    const { command } = await client.query('commit')
    client.release()
    expect(command).toBe('COMMIT')
    expect(await database.hasOrder(late)).toBe(true)
  })

  test('with an SQL error that the handler swallowed stores nothing and is an error', async () => {
    const { attempt, tx, pool, store, claim } = await begin()
    const id = randomUUID()
    await tx.query(insert, [id])
    await tx.query('select 1 / 0').catch(() => {})
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
      cause: expect.objectContaining({ code: '25P02' }),
    })
    await whole(pool)
    expect(await database.hasOrder(id)).toBe(false)
    await attemptOf(await store.begin(again(claim))).release()
  })

  test('a bare COMMIT after a swallowed error reports no error', async () => {
    const client = await database.pool({ pipeline }).connect()
    await client.query('begin')
    await client.query('select 1 / 0').catch(() => {})
    const { command } = await client.query('commit')
    client.release()
    expect(command).toBe('ROLLBACK')
  })

  test('with one of several queries at once failing stores nothing', async () => {
    const { attempt, tx } = await begin()
    const ids = [randomUUID(), randomUUID(), randomUUID()]
    const results = await Promise.allSettled([
      tx.query(insert, [ids[0]]),
      tx.query('select 1 / 0'),
      tx.query(insert, [ids[1]]),
      tx.query(insert, [ids[2]]),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(await database.hasOrder(ids[0] ?? '')).toBe(false)
  })

  test('includes a query that was not awaited', async () => {
    const { attempt, tx } = await begin()
    const id = randomUUID()
    tx.query(insert, [id])
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
  })

  test('reports a constraint deferred to COMMIT as the handler’s error and not as a lost race', async () => {
    const table = `deferred_${randomUUID().slice(0, 8)}`
    await database.query(
      `create table ${table} (id int constraint records_pkey primary key deferrable initially deferred)`,
    )
    const { attempt, tx, pool, store, claim } = await begin()
    await tx.query(`insert into ${table} values (1), (1)`)
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
      cause: expect.objectContaining({ code: '23505' }),
    })
    await whole(pool)
    expect(await database.query(`select * from ${table}`)).toEqual([])
    await attemptOf(await store.begin(again(claim))).release()
  })

  test('stores a refusal after a failed statement', async () => {
    const { attempt, tx, store, claim } = await begin()
    const id = randomUUID()
    await tx.query(insert, [id])
    await tx.query(insert, [id]).catch(() => {})
    expect(await attempt.complete(refused('taken'))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 422 taken')
    expect(await database.hasOrder(id)).toBe(false)
  })

  test('recovers named statements that were first sent in a failed transaction', async () => {
    const pool = database.pool({ max: 1, pipeline })
    const store = storeOn(pool, { prepare })
    const named = (tx: PoolClient) =>
      tx.query({ name: 'mine', text: insert, values: [randomUUID()] })
    const failing = attemptOf(await store.begin(claimOf()))
    const broken = await failing.transaction()
    await broken.query('select 1 / 0').catch(() => {})
    await Promise.allSettled([named(broken), named(broken)])
    await expect(failing.complete(kept('x'))).rejects.toMatchObject({ code: 'transaction-aborted' })
    for (const text of ['one', 'two']) {
      const attempt = attemptOf(await store.begin(claimOf()))
      await named(await attempt.transaction())
      expect(await attempt.complete(kept(text))).toBe('stored')
    }
  })
})

async function whole(pool: pg.Pool): Promise<void> {
  await waitFor(() => pool.idleCount === pool.totalCount, { what: 'all clients to be given back' })
}
