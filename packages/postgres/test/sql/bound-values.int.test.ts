import { randomUUID } from 'node:crypto'
import { Pool, type PoolClient } from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { pgWire } from '../../src/sql/pg/pg-wire.ts'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

describe.each(wires)('values, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()

  test('appear in no text that the server shows or that instrumentation of the driver sees', async () => {
    const application_name = randomUUID()
    const pool = database.pool({ max: 4, pipeline, application_name })
    const texts: string[] = []
    pool.on('connect', (client) => record(client, texts))
    const store = storeOn(pool, { prepare })
    const shown = async (): Promise<void> => {
      const rows = await database.query<{ query: string }>(
        'select query from pg_stat_activity where application_name = $1',
        [application_name],
      )
      texts.push(...rows.map(({ query }) => query))
    }
    const claim = claimOf({ scope: 'the-scope', key: `the-key-${randomUUID()}` })
    const attempt = attemptOf(await store.begin(claim))
    await shown()
    const event = eventOf({ data: '{"secret":"the-event"}' })
    expect(await attempt.complete(kept('the-response', [event]))).toBe('stored')
    await shown()
    expect(said(await store.begin(again(claim)))).toBe('replay 201 the-response')
    const other = attemptOf(await store.begin(claimOf({ scope: 'the-scope' })))
    await other.complete(refused('the-response'))
    await shown()

    const text = texts.join('\n')
    expect(text).toMatch(/claim_3\(\$1/)
    expect(text).toMatch(/complete_4\(\$1/)
    expect(text).not.toMatch(/the-scope|the-key|the-event|the-response/)
  })

  test('with quotes, backslashes, bytes or nothing arrive unchanged', async () => {
    const store = storeOn(database.pool({ max: 2, pipeline }), { prepare })
    const claim = claimOf({ key: `it's a "key" \\ $1 %s \u{1F511}` })
    const attempt = attemptOf(await store.begin(claim))
    const body = Buffer.from(Array.from({ length: 512 }, (_, at) => at % 256))
    const completion = kept('')
    await attempt.complete({ ...completion, response: { ...completion.response, body } })
    const decision = await store.begin(again(claim))
    expect(decision).toMatchObject({ kind: 'replay', response: { body, seal: null } })
  })
})

test('a statement that failed after parsing can be sent again on the same connection', async () => {
  const client = await database.pool({ max: 1 }).connect()
  const wire = pgWire({ prepare: true })
  const begin = { name: 'begin', text: 'BEGIN', values: [] }
  const divided = (by: number) => ({
    name: 'divided',
    text: 'select 6 / $1::int as n',
    values: [by],
  })
  await expect(wire.two(client, begin, divided(0))).rejects.toMatchObject({ code: '22012' })
  await client.query('rollback')
  const [, { rows }] = await wire.two(client, begin, divided(3))
  expect(rows).toEqual([{ n: '2' }])
  await client.query('rollback')
  client.release()
})

// A bug, with a client such as `pg-native` that shows no connection to write the protocol on. A
// statement that was sent alone went out as a query of `pg`, which did not know that the statement
// was parsed already: 42P05.
test('a statement that failed in a batch can be sent alone', async () => {
  const client = await database.pool({ max: 1 }).connect()
  const wire = pgWire({ prepare: true })
  const begin = { name: 'begin', text: 'BEGIN', values: [] }
  const divided = (by: number) => ({
    name: 'divided',
    text: 'select 6 / $1::int as n',
    values: [by],
  })
  await expect(wire.two(client, begin, divided(0))).rejects.toMatchObject({ code: '22012' })
  await client.query('rollback')
  expect((await wire.one(client, divided(2))).rows).toEqual([{ n: '3' }])
  client.release()
})

// A bug: `@opentelemetry/instrumentation-pg` with `addSqlCommenterCommentToQueries` passes `pg` a
// copy of every query without a name. The copy of a batch lacked its functions: no claim worked.
test('a client whose queries are copied by instrumentation can still claim and complete', async () => {
  const pool = database.pool({ max: 2 })
  pool.on('connect', (client) => {
    const query = client.query as (...args: unknown[]) => unknown
    const copied = ([first, ...others]: unknown[]): unknown[] => {
      if (typeof first !== 'object' || first === null || 'name' in first) return [first, ...others]
      const { text } = first as { text: string }
      return [{ ...first, text: `${text} /*traceparent='00-1'*/` }, ...others]
    }
    client.query = ((...args: unknown[]) =>
      query.apply(client, copied(args))) as typeof client.query
  })
  const store = storeOn(pool)
  const claim = claimOf()
  expect(await attemptOf(await store.begin(claim)).complete(kept('done'))).toBe('stored')
  expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
})

// A bug: a statement without values was taken for BEGIN or COMMIT, and its rows had the columns of
// the statement before it.
test('rows of a statement without values have its own columns', async () => {
  const client = await database.pool({ max: 1 }).connect()
  const wire = pgWire({ prepare: false })
  const first = { name: 'first', text: 'select $1::text as a, 2 as b', values: ['1'] }
  const second = { name: 'second', text: 'select 3 as c', values: [] }
  const [one, two] = await wire.two(client, first, second)
  expect([one.rows, two.rows]).toEqual([[{ a: '1', b: '2' }], [{ c: '3' }]])
  client.release()
})

test('the types of its values go with a statement that is sent alone', async () => {
  const client = await database.pool({ max: 1 }).connect()
  const BIGINT = 20
  const typed = { name: 'typed', text: 'select pg_typeof($1) as t', values: [7], types: [BIGINT] }
  const { rows } = await pgWire({ prepare: true }).one(client, typed)
  expect(rows).toEqual([{ t: 'bigint' }])
  client.release()
})

describe.each([false, true])('a client such as that of `pg-native`, pipeline %s', (pipeline) => {
  class Closed extends Pool {
    override connect(callback?: unknown): never {
      const closed = (client: PoolClient | undefined) =>
        client && new Proxy(client, { get: hidden })
      return super.connect((error, client, release) =>
        (callback as (...args: unknown[]) => void)(error, closed(client), release),
      ) as never
    }
  }

  // A bug: `pg-native` binds bytes as UTF-8 text, so a stored response was another than was sent.
  test.each(['transaction', 'lease'] as const)(
    'stores and replays bytes in %s mode',
    async (mode) => {
      const pool = new Closed({ connectionString: database.url(), max: 4, pipeline })
      pools.push(pool)
      const store = storeOn(pool, { mode })
      const body = Buffer.from(Array.from({ length: 512 }, (_, at) => at % 256))
      for (const completion of [kept(''), refused('')]) {
        const claim = claimOf({ key: `it's ${randomUUID()}` })
        const attempt = attemptOf(await store.begin(claim))
        await attempt.complete({ ...completion, response: { ...completion.response, body } })
        const replay = await store.begin(again(claim))
        expect(replay).toMatchObject({ kind: 'replay', response: { body } })
      }
    },
  )
})

const database = testDatabase()
const pools: Pool[] = []
afterAll(() => Promise.all(pools.map((pool) => pool.end())))

/** Shows no connection, and binds bytes in the way of `pg-native`. */
function hidden(client: PoolClient, name: string | symbol): unknown {
  if (name === 'connection') return undefined
  const value = Reflect.get(client, name)
  if (name !== 'query') return typeof value === 'function' ? value.bind(client) : value
  return (config: { values?: unknown[] }, ...rest: unknown[]) => {
    const values = config.values?.map((each) => (Buffer.isBuffer(each) ? String(each) : each))
    return value.call(client, { ...config, ...(values && { values }) }, ...rest)
  }
}

function record(client: PoolClient, texts: string[]): void {
  const query = client.query as (...args: unknown[]) => unknown
  const recorded = (...args: unknown[]): unknown => {
    const [first] = args
    texts.push(typeof first === 'string' ? first : (first as { text: string }).text)
    return query.apply(client, args)
  }
  client.query = recorded as typeof client.query
}
