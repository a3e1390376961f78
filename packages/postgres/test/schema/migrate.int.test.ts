import { OptionsError } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { migratePackage } from '@oncekey/postgres/client'
import { startNode } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { migrations } from '../../src/schema/migrations/all.ts'
import { attemptOf, claimOf, kept } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const everyVersion = migrations.map((_, index) => ({ version: index + 1 }))
const versionsOf = (schema: string) =>
  database.query(`select version from ${schema}.migrations order by version`)

describe('migrate', () => {
  test('runs each migration once, however often it is called', async () => {
    const pool = database.pool()
    await migrate(pool, { schema: 'often' })
    await migrate(pool, { schema: 'often' })
    expect(await versionsOf('often')).toEqual(everyVersion)
  })

  test('can be called by ten processes at once', async () => {
    const children = await Promise.all(
      Array.from({ length: 10 }, () =>
        startNode(new URL('../children/migrate.ts', import.meta.url), {
          env: { DATABASE_URL: database.url(), SCHEMA: 'at_once' },
        }),
      ),
    )
    for (const child of children) await child.waitForLine((line) => line === 'waiting')
    await database.query('create table go ()')
    const exits = await Promise.all(children.map(({ exited }) => exited))
    expect(exits.map(({ code }) => code)).toEqual(Array(10).fill(0))
    expect(await versionsOf('at_once')).toEqual(everyVersion)
  })

  test('neither rewrites a table that grows with requests nor builds an index on one that is there', async () => {
    const pool = database.pool()
    const grows = /^(records|attempts|leases|outbox|outbox_\d|processed_events)$/
    const shapes = async () => {
      const tables = await database.query<{ name: string; shape: string }>(
        `select c.relname as name, concat_ws(' ', c.oid, c.relfilenode, (
            select string_agg(i.indexrelid::text, ' ' order by i.indexrelid)
              from pg_index i where i.indrelid = c.oid)) as shape
          from pg_class c
          where c.relnamespace = to_regnamespace('by_steps') and c.relkind in ('r', 'p')`,
      )
      return new Map(tables.map(({ name, shape }) => [name, shape]))
    }
    const changed = new Set<string>()
    let before = new Map<string, string>()
    for (const { version } of everyVersion) {
      const tables = { package: 'postgres', migrations: migrations.slice(0, version) }
      await migratePackage(pool, tables, { schema: 'by_steps' })
      const after = await shapes()
      for (const [name, shape] of before) if (after.get(name) !== shape) changed.add(name)
      before = after
    }
    expect([...before.keys()].filter((name) => grows.test(name))).toHaveLength(13)
    expect([...changed].filter((name) => grows.test(name))).toEqual([])
    expect(changed).toContain('deliveries')
  })

  test('does everything or nothing', async () => {
    const pool = database.pool()
    await pool.query('create schema half')
    await pool.query('create table half.outbox ()')
    await expect(migrate(pool, { schema: 'half' })).rejects.toMatchObject({
      code: 'store-not-migrated',
      message: expect.stringMatching(/"half".*an empty one.*relation "outbox" already exists/),
    })
    expect(
      await database.query(
        "select relname from pg_class where relnamespace = 'half'::regnamespace",
      ),
    ).toEqual([{ relname: 'outbox' }])
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test.each([
    ['the list of migrations', 'drop table dropped.migrations', /empty one is.*already exists/],
    ['a table', 'drop table dropped.leases cascade', /leaves it: table leases is missing/],
    [
      'a function and a partition',
      'drop function dropped.life; drop table dropped.outbox_3',
      /is missing|are missing/,
    ],
    [
      'a table that a later migration changes',
      'drop table dropped.outbox cascade; delete from dropped.migrations where version > 3',
      /version 3 of @oncekey\/postgres leaves it/,
    ],
  ])('reports what is missing if somebody has dropped %s', async (_, dropping, message) => {
    const pool = database.pool()
    await pool.query('drop schema if exists dropped cascade')
    await migrate(pool, { schema: 'dropped' })
    await pool.query(dropping)
    await expect(migrate(pool, { schema: 'dropped' })).rejects.toMatchObject({
      code: 'store-not-migrated',
      message: expect.stringMatching(message),
    })
  })

  test('refuses a database that is not UTF8 before it creates anything', async () => {
    const url = new URL(database.url())
    const name = `latin_${process.pid}`
    await database.query(
      `create database ${name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`,
    )
    url.pathname = name
    const pool = database.pool({ connectionString: url.href })
    await expect(migrate(pool)).rejects.toMatchObject({
      code: 'options-invalid',
      message: expect.stringMatching(/encoded in LATIN1/),
    })
    expect((await pool.query("select to_regnamespace('oncekey') as it")).rows).toEqual([
      { it: null },
    ])
    await pool.end()
    await database.query(`drop database ${name}`)
  })

  // A bug: `pg` returns a boolean as 'f', which is true in JavaScript, so an old server was
  // accepted.
  test('refuses a server older than PostgreSQL 14 before it creates anything', async () => {
    await database.query(`
      create schema aged;
      create function aged.current_setting(name text) returns text language sql as $$
        select case when name like 'server_version%' then '130012'
          else pg_catalog.current_setting(name) end
      $$`)
    const pool = database.pool({ options: '-c search_path=aged,pg_catalog' })
    await expect(migrate(pool, { schema: 'never' })).rejects.toMatchObject({
      code: 'options-invalid',
      message: expect.stringMatching(/Oncekey needs 14 or newer/),
    })
    expect(await database.query("select to_regnamespace('never') as it")).toEqual([{ it: null }])
  })

  // A bug: LLVM compiled such a function each time it read a table of one row: see decision 156.
  test('creates no function that disables sequential scans and leaves jit on', async () => {
    const pool = database.pool()
    await migrate(pool, { schema: 'compiled' })
    const functions = await database.query(
      `select proname from pg_proc where pronamespace = 'compiled'::regnamespace
        and 'enable_seqscan=off' = any(proconfig) and 'jit=off' <> all(proconfig)`,
    )
    expect(functions).toEqual([])
  })

  test('refuses a schema that a newer release has migrated', async () => {
    const pool = database.pool()
    await migrate(pool, { schema: 'newer' })
    await pool.query("insert into newer.migrations values ('postgres', 99)")
    await expect(migrate(pool, { schema: 'newer' })).rejects.toMatchObject({
      code: 'store-too-new',
      message: expect.stringContaining('version 99'),
    })
  })

  test('needs no right to create a schema that exists', async () => {
    await database.query('create role modest login')
    await database.query('create schema given authorization modest')
    const pool = database.pool({ options: '-c role=modest' })
    await migrate(pool, { schema: 'given' })
    await migrate(pool, { schema: 'given' })
    const store = postgresStore({ client: pool, schema: 'given' })
    const attempt = attemptOf(await store.begin(claimOf()))
    expect(await attempt.complete(kept('done'))).toBe('stored')
    await pool.end()
    await database.query('drop owned by modest')
    await database.query('drop role modest')
  })

  test('keeps schemas apart: one key has two records', async () => {
    const pool = database.pool()
    const claim = claimOf()
    for (const schema of ['one', 'two']) {
      await migrate(pool, { schema })
      const attempt = attemptOf(await postgresStore({ client: pool, schema }).begin(claim))
      expect(await attempt.complete(kept(schema))).toBe('stored')
    }
  })

  test('keys of two schemas do not wait for each other', async () => {
    const pool = database.pool()
    const claim = claimOf()
    await migrate(pool, { schema: 'other' })
    const one = attemptOf(await postgresStore({ client: pool }).begin(claim))
    const two = attemptOf(await postgresStore({ client: pool, schema: 'other' }).begin(claim))
    await Promise.all([one.release(), two.release()])
  })

  test.each([
    'Upper',
    'with space',
    '"quoted"',
    'a;drop',
    '',
    'pg_own',
    '1st',
    'x'.repeat(64),
    'ö',
  ])('refuses the schema name %j', async (schema) => {
    const pool = database.pool()
    await expect(migrate(pool, { schema })).rejects.toBeInstanceOf(OptionsError)
    expect(() => postgresStore({ client: pool, schema })).toThrow(/such as "oncekey"/)
  })

  test('accepts a schema name that is a reserved word, and one of 63 characters', async () => {
    const pool = database.pool()
    for (const schema of ['user', 'x'.repeat(63)]) {
      await migrate(pool, { schema })
      const store = postgresStore({ client: pool, schema, prepare: true })
      const attempt = attemptOf(await store.begin(claimOf()))
      expect(await attempt.complete(kept('done'))).toBe('stored')
    }
  })
})
