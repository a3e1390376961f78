import { type PostgresServer, startPostgres } from '@oncekey/test-servers'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ALL, findings } from './findings.ts'
import { oncekey } from './oncekey.ts'

describe('doctor, on row level security', () => {
  let postgres: PostgresServer
  let pool: pg.Pool

  beforeAll(async () => {
    postgres = await startPostgres()
    pool = new pg.Pool({ connectionString: postgres.url })
    for (const role of ['app', 'relay', 'tenant', 'oncekey_owner']) {
      await pool.query(`create role ${role} login`)
    }
    await pool.query('create role reading bypassrls login')
  })

  afterAll(async () => {
    await pool.end()
    await postgres.stop()
  })

  /** Migrates `schema` anew. `app` writes to its tables, `relay` reads the log. */
  async function migrated(schema: string): Promise<void> {
    await pool.query(`drop schema if exists ${schema} cascade; create schema ${schema}`)
    const migrate = ['migrate', '--database', postgres.url, '--schema', schema, ...ALL]
    const { code, stderr } = await oncekey(migrate)
    if (code !== 0) throw new Error(stderr)
    await pool.query(`
      grant usage on schema ${schema} to app, relay, reading;
      grant select, insert, update, delete on all tables in schema ${schema} to app;
      grant select on ${schema}.outbox to relay, reading`)
  }

  beforeEach(() => migrated('oncekey'))

  async function hidden(schema = 'oncekey', args: readonly string[] = []) {
    const asked = ['--database', postgres.url, '--schema', schema, ...args]
    const { found } = await findings(asked)
    return found.filter(({ check }) => check === 'policies')
  }

  const on = (table: string) => pool.query(`alter table oncekey.${table} enable row level security`)
  const policy = (text: string) => pool.query(`create policy p_${count++} on oncekey.${text}`)
  let count = 0

  // Whoever may insert a record and not see it runs the handler of a finished key again and again.
  test('a policy that hides rows, with the statement that shows them', async () => {
    await on('records')
    await policy('records for insert with check (true)')
    const [{ what, level, statements = [] } = {}, ...more] = await hidden()
    expect([level, what, more.length]).toEqual([
      'fault',
      'Row level security is on for table records, and hides rows from app.',
      0,
    ])
    for (const statement of statements) await pool.query(statement)
    expect(await hidden()).toEqual([])
  })

  // A bug: a login that only reads gets no error without a policy, and sees nothing.
  test('no policy at all', async () => {
    await on('outbox')
    const [{ what } = {}] = await hidden()
    expect(what).toMatch(/hides rows from app, relay\.$/)
  })

  test('one policy for all commands hides nothing', async () => {
    await on('outbox')
    await policy('outbox using (true) with check (true)')
    expect(await hidden()).toEqual([])
  })

  // A bug: neither whom a policy is for was read, nor whether it is restrictive.
  test.each([
    ['a policy for another role', ['outbox to app using (true)'], 'relay'],
    ['a restrictive policy', ['outbox using (true)', 'outbox as restrictive using (false)'], 'app'],
    ['a policy for reading, where rows are changed', ['outbox for select using (true)'], 'app'],
  ])('%s', async (_, policies, from) => {
    await on('outbox')
    for (const each of policies) await policy(each)
    const [{ what } = {}] = await hidden()
    expect(what).toContain(from)
  })

  test('a policy of a group shows its rows to the members', async () => {
    await pool.query('create role readers; grant readers to relay')
    await on('outbox')
    await policy('outbox to app using (true)')
    await policy('outbox to readers using (true)')
    expect(await hidden()).toEqual([])
  })

  // A bug: a login that row level security has no effect on was told of a fault.
  test('a login that owns the tables, or bypasses policies, sees every row', async () => {
    await pool.query('revoke all on all tables in schema oncekey from app, relay')
    await pool.query('alter table oncekey.outbox owner to oncekey_owner')
    await on('outbox')
    expect(await hidden()).toEqual([])
    await pool.query('alter table oncekey.outbox force row level security')
    const [{ what } = {}] = await hidden()
    expect(what).toMatch(/hides rows from oncekey_owner\.$/)
  })

  test('with --role, only that role counts', async () => {
    await on('outbox')
    await policy('outbox to app using (true) with check (true)')
    expect(await hidden('oncekey', ['--role', 'app'])).toEqual([])
    expect(await hidden('oncekey', ['--role', 'relay'])).toHaveLength(1)
  })

  // A bug: in a schema that is the application's too, doctor printed a statement that switches off
  // the isolation of its tenants.
  test('a table of the application is none of our business', async () => {
    await migrated('shop')
    await pool.query(`
      create table shop.customers (id int, tenant text);
      grant select on shop.customers to tenant;
      alter table shop.customers enable row level security;
      create policy own on shop.customers using (tenant = current_user)`)
    expect(await hidden('shop')).toEqual([])
  })
})
