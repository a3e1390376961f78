import { Client } from 'pg'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { type PgBouncer, type PgBouncerOptions, startPgBouncer } from '../src/index.ts'

const ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(options?: PgBouncerOptions): Promise<PgBouncer> {
  const pgbouncer = await startPgBouncer(inject('postgresUrl'), options)
  ends.push(pgbouncer.stop)
  return pgbouncer
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  ends.push(() => client.end())
  return client
}

const backend = async (client: Client): Promise<number> =>
  (await client.query('select pg_backend_pid() as pid')).rows[0].pid

describe('a PgBouncer of our own', () => {
  test('lends a connection for one transaction, and another for the next', async () => {
    const { through } = await start({ settings: { default_pool_size: '2' } })
    const url = through(inject('postgresUrl'))
    const [one, two] = [await connected(url), await connected(url)]
    await one.query('begin')
    const held = await backend(one)
    expect(await backend(one)).toBe(held)
    const other = await backend(two)
    expect(other).not.toBe(held)
    await one.query('commit')
    // It gives connections out in turn: a setting made on one is missing on the next.
    const seen = [await backend(one), await backend(one), await backend(one), await backend(one)]
    expect(new Set(seen)).toEqual(new Set([held, other]))
  })

  test('has the given settings, and is gone when it is stopped', async () => {
    const pgbouncer = await start({ settings: { pool_mode: 'session' } })
    const url = pgbouncer.through(inject('postgresUrl'))
    const client = await connected(url)
    expect(await backend(client)).toBe(await backend(client))
    expect(pgbouncer.log()).toContain(`127.0.0.1:${pgbouncer.port}`)
    await pgbouncer.stop()
    await expect(connected(url)).rejects.toThrow('ECONNREFUSED')
  })

  test('reports why it cannot start', async () => {
    await expect(start({ settings: { pool_mode: 'somehow' } })).rejects.toThrow(/pool_mode/)
  })
})
