import { OptionsError } from '@oncekey/core'
import { migrate, postgresStore, type SqlClient } from '@oncekey/postgres'
import { Client, Pool } from 'pg'
import { describe, expect, test } from 'vitest'

// It never connects, because options are validated before a connection is opened.
const pool = new Pool({ max: 10 })
const single = { query: async () => [], begin: async () => ({}) }

describe('postgresStore', () => {
  test('reports its capabilities', () => {
    expect(postgresStore({ client: pool }).capabilities).toEqual({
      name: 'postgres',
      mode: 'transaction',
      transactions: true,
      concurrency: 'many',
    })
  })

  test('reports its capabilities in lease mode', () => {
    expect(postgresStore({ client: pool, mode: 'lease' }).capabilities).toEqual({
      name: 'postgres',
      mode: 'lease',
      transactions: true,
      concurrency: 'many',
    })
  })

  test.each([1, 2])(
    'in lease mode refuses a pool of %i, which leaves no connection for renewals',
    (max) => {
      const store = () => postgresStore({ client: new Pool({ max }), mode: 'lease' })
      expect(store).toThrow(OptionsError)
      expect(store).toThrow(/at least 3 connections.*Write `max: 3`/)
    },
  )

  test('in lease mode refuses a client with a single session', () => {
    const client = { ...single, concurrency: 'one', poolSize: 1 } as unknown as SqlClient
    expect(() => postgresStore({ client, mode: 'lease' })).toThrow(/PGlite.*Leave `mode` out/)
    postgresStore({ client })
  })

  test.each([
    [{ mode: 'leases' }, /Write 'transaction' or 'lease'/],
    [{ mode: 'lease', maxConcurrent: 9 }, /two of the pool's 10.*Write 8 at most/],
    [{ isolation: 'snapshot' }, /'read committed', 'repeatable read' or 'serializable'/],
    [{ schema: 'My Schema' }, /such as "oncekey"/],
    [{ maxConcurrent: 0 }, /maxConcurrent must be a whole number from 1/],
    [{ maxConcurrent: 11 }, /the pool has 10.*write 5/],
    [{ maxConcurrent: 1.5 }, /maxConcurrent/],
    [{ acquireTimeoutMs: 0 }, /acquireTimeoutMs/],
    [{ acquireTimeoutMs: Number.POSITIVE_INFINITY }, /acquireTimeoutMs/],
    [{ commitTimeoutMs: -1 }, /commitTimeoutMs/],
    [{ commitTimeoutMs: 2 ** 31 }, /commitTimeoutMs/],
  ])('refuses %o and says what to write instead', (options, message) => {
    const store = () => postgresStore({ client: pool, ...(options as object) })
    expect(store).toThrow(OptionsError)
    expect(store).toThrow(message)
  })

  test.each([
    ['a single connection', new Client(), /new Pool/],
    ['a PGlite database', { query() {}, transaction() {}, execProtocol() {} }, /fromPglite\(db\)/],
    ['nothing', undefined, /Pool of the package "pg"/],
    ['a connection string', 'postgres://localhost', /Pool of the package "pg"/],
  ])('refuses %s as its client', (_, client, message) => {
    expect(() => postgresStore({ client: client as unknown as SqlClient })).toThrow(message)
  })

  test('accepts a pool of any size, and a maxConcurrent of up to all of the pool', () => {
    for (const max of [1, 2, 3, 100]) postgresStore({ client: new Pool({ max }) })
    postgresStore({ client: pool, maxConcurrent: 10 })
  })
})

test('migrate refuses an invalid list of migrations before it connects', async () => {
  for (const also of [{}, [undefined], [{ package: 'saga' }], 'saga']) {
    await expect(migrate(pool, { also: also as never })).rejects.toThrow(OptionsError)
  }
})
