import { randomUUID } from 'node:crypto'
import { append, transact } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const app = `app_${randomUUID().slice(0, 8)}`
const tenant = `tenant_${randomUUID().slice(0, 8)}`
const modes = ['transaction', 'lease'] as const
/** When the session's own transaction began, which any login can read. */
const started = '(extract(epoch from transaction_timestamp()) * 1000000)::bigint'
const insert = "insert into notes values (current_setting('app.tenant'), $1)"

const database = testDatabase()

beforeAll(async () => {
  await database.query(
    `create role ${app} login password 'secret'; create role ${tenant} login password 'secret'`,
  )
  await database.query(`grant ${tenant} to ${app}`)
  await database.query(`
    grant select, insert, delete, update on all tables in schema oncekey to ${app};
    create table notes (tenant text, id text);
    alter table notes enable row level security;
    create policy own on notes using (tenant = current_setting('app.tenant'));
    grant select, insert on notes to ${tenant}`)
})

// Runs before the database is dropped, because the roles outlive it.
afterAll(async () => {
  await database.query(`drop owned by ${tenant}, ${app}; drop role ${tenant}, ${app}`)
})

/** A login with the least privileges that an application needs. */
function appPool(config: { pipeline?: boolean } = {}): Pool {
  return database.pool({ ...config, connectionString: urlOf(app) })
}

function urlOf(role: string): string {
  const url = new URL(database.url())
  url.username = role
  url.password = 'secret'
  return url.href
}

async function becomeTenant(tx: PoolClient): Promise<void> {
  await tx.query(`set local role ${tenant}`)
  await tx.query("select set_config('app.tenant', 'acme', true)")
}

describe.each(modes)('a handler in %s mode that switches to the role of its tenant', (mode) => {
  test.each(wires)('is recorded with its writes and events: $wire', async (wire) => {
    const store = storeOn(appPool(wire), { mode, prepare: wire.prepare })
    const [claim, id, event] = [claimOf(), randomUUID(), eventOf()]
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    await becomeTenant(tx)
    await tx.query(insert, [id])
    expect(await attempt.complete(kept('noted', [event]))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 noted')
    expect(await database.query('select id from notes where id = $1', [id])).toEqual([{ id }])
    const events = 'select id from oncekey.outbox where id = $1'
    expect(await database.query(events, [event.id])).toEqual([{ id: event.id }])
  })

  test('is undone if it refuses, and the next request has the role of the pool', async () => {
    const pool = appPool()
    const store = storeOn(pool, { mode })
    const [claim, id] = [claimOf(), randomUUID()]
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    await becomeTenant(tx)
    await tx.query(insert, [id])
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
    expect(await database.query('select from notes where id = $1', [id])).toEqual([])
    expect((await pool.query('select current_user as name')).rows).toEqual([{ name: app }])
  })

  test.each([
    [
      'another search_path, with operators of its own',
      'set local search_path = elsewhere, pg_catalog',
    ],
    ['triggers switched off', "set local session_replication_role = 'replica'"],
    ['row security off', 'set local row_security = off'],
    ['read-only by default, for what comes next', 'set local default_transaction_read_only = on'],
    ['a short statement_timeout', "set local statement_timeout = '2s'"],
    ['constraints deferred', 'set constraints all deferred'],
    ['a temporary table of our name', 'create temporary table records (id text) on commit drop'],
    ['a cursor of SQL left open', 'declare mine cursor for select generate_series(1, 1000)'],
    ['a cursor kept beyond the transaction', 'declare kept cursor with hold for select 1'],
  ])('may leave %s', async (_, text) => {
    await database.query(`create schema if not exists elsewhere`)
    const store = storeOn(database.pool(), { mode })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).query(text)
    expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  })
})

test.each(modes)(
  'a handler in %s mode that makes its transaction read-only gets an error',
  async (mode) => {
    const attempt = attemptOf(await storeOn(database.pool(), { mode }).begin(claimOf()))
    await (await attempt.transaction()).query('set transaction read only')
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
      message: expect.stringContaining('read-only'),
    })
  },
)

test('a route without a key may switch its role and emit, too', async () => {
  const attempt = await storeOn(appPool()).open({ leaseMs: 1_000 })
  const [tx, event] = [await attempt.transaction(), eventOf()]
  await becomeTenant(tx)
  await tx.query(insert, [randomUUID()])
  expect(await attempt.complete(kept('done', [event]))).toBe('stored')
  expect(await database.query('select from oncekey.outbox where id = $1', [event.id])).toHaveLength(
    1,
  )
})

test('a transaction of the application that appends may switch its role, too', async () => {
  const pool = appPool()
  const type = `noted.${randomUUID()}`
  await transact(pool, async (tx, emit) => {
    await becomeTenant(tx as PoolClient)
    emit({ type })
  })
  const client = await pool.connect()
  await client.query('begin')
  await becomeTenant(client)
  await append(client, { type })
  await client.query('commit')
  client.release()
  expect(await database.query('select from oncekey.outbox where type = $1', [type])).toHaveLength(2)
})

describe('a login as the tenant itself', () => {
  test.each([
    ['complete_4', `null, ${started}, 'n', 's', 'k', 'f', 200, '[]', 'x', null, null`],
    ['complete_attempt_5', `'t', 'n', 's', 'k', 200, '[]', 'x', null, null, ${started}, 'f'`],
    ['end_attempt_3', `null, ${started}, '[]'`],
    ['append_events_2', "'[]'"],
  ])('cannot call %s', async (name, values) => {
    const client = await database.pool({ connectionString: urlOf(tenant) }).connect()
    await client.query('begin')
    await expect(client.query(`select oncekey.${name}(${values})`)).rejects.toMatchObject({
      code: '42501',
    })
    await client.query('rollback')
    client.release()
  })

  // The migrating role, or a superuser, may analyze, refresh or call something that a tenant has
  // created. PostgreSQL runs that as the tenant, and our functions must do so too, although the
  // session is not the tenant's.
  test.each([
    ['an index expression that is analyzed', 'analyze owned.bait'],
    ['a materialized view that is refreshed', 'refresh materialized view owned.seen'],
    ['a SECURITY DEFINER function', 'select owned.forge()'],
  ])('writes nothing through %s by a session that may', async (_, bait) => {
    const type = `forged.${randomUUID()}`
    const event = JSON.stringify([
      { id: randomUUID(), type, source: '/', data: null, headers: {}, occurred_at: 0, slot: 0 },
    ])
    await database.query(
      `drop schema if exists owned cascade; create schema owned authorization ${tenant}`,
    )
    const own = database.pool({ connectionString: urlOf(tenant) })
    await own.query(`
      create function owned.forge() returns text language plpgsql security definer as $$
        begin
          return oncekey.append_events_2('${event}');
        end $$;
      create function owned.looks_harmless(id integer) returns text language plpgsql immutable as $$
        begin
          return case when current_user = session_user then 'itself' else owned.forge() end;
        end $$;
      create table owned.bait (id integer);
      create index on owned.bait (owned.looks_harmless(id));
      insert into owned.bait values (1), (2);
      create materialized view owned.seen as
        select owned.looks_harmless(id) from owned.bait with no data`)
    await expect(database.query(bait)).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('cannot set parameter "role"'),
    })
    expect(await database.query('select from oncekey.outbox where type = $1', [type])).toEqual([])
    await database.query('drop schema owned cascade')
  })

  test('finds no function of the schema with more rights than its caller', async () => {
    const definers = await database.query(
      `select proname from pg_proc where pronamespace = 'oncekey'::regnamespace and prosecdef`,
    )
    expect(definers).toEqual([])
  })

  test('reads and changes nothing through any function of the schema', async () => {
    const attempt = attemptOf(await storeOn(database.pool()).begin(claimOf()))
    expect(await attempt.complete(kept('classified', [eventOf()]))).toBe('stored')
    const before = await contents()

    const client = await database.pool({ connectionString: urlOf(tenant) }).connect()
    const answered = new Set<string>()
    for (const { name, values } of await functions()) {
      // Sent in one message, because a function that sets a backstop of a millisecond would end an
      // idle transaction.
      const text = `begin; select set_config('oncekey.attempt', 'x', true);
        select * from ${name}(${values}); commit`
      const { code, rows } = await client.query(text).then(
        (results) => ({
          code: 'done',
          rows: (results as unknown as { rows: unknown[] }[])[2]?.rows,
        }),
        (error) => ({ code: error.code as string, rows: [] }),
      )
      await client.query('rollback')
      expect(JSON.stringify(rows)).not.toContain('classified')
      if (code !== '42501') answered.add(name.replace(/_\d+$/, ''))
    }
    client.release()
    expect(await contents()).toEqual(before)
    // In no version do they touch a table with these arguments; a trigger function says that it is
    // one.
    expect([...answered].sort()).toEqual([
      'oncekey.at_read_committed',
      'oncekey.begin_anew',
      'oncekey.claim',
      'oncekey.complete',
      'oncekey.complete_attempt',
      'oncekey.deliveries_written',
      'oncekey.delivery_times',
      'oncekey.end_attempt',
      'oncekey.events_up_to',
      'oncekey.file_failed',
      'oncekey.give_back_attempts',
      'oncekey.is_ahead',
      'oncekey.numbers_go_on',
      'oncekey.present_snapshot',
      'oncekey.read_events',
      'oncekey.record_json',
      'oncekey.refuse_change',
      'oncekey.refuse_other_change',
      'oncekey.restart_lease',
      'oncekey.start_attempt',
      'oncekey.system_identifier',
      'oncekey.takes_writes',
    ])
  })

  /** Calls for every function, with nulls and with plausible values of its parameters. */
  async function functions(): Promise<{ name: string; values: string }[]> {
    const all = await database.query<{ name: string; values: string }>(
      `select p.oid::regproc::text as name,
           coalesce(string_agg(case
               when nulls then 'null'
               when t::regtype::text like '%[]' then '''{}'''
               when t::regtype in ('json', 'jsonb') then '''[]'''
               when t::regtype in ('integer', 'bigint', 'smallint') then '1'
               when t::regtype = 'boolean'::regtype then 'false'
               when t::regtype = 'pg_snapshot'::regtype then '''1:1:'''
               when t::regtype = 'xid8'::regtype then '''1'''
               when t::regtype::text like 'timestamp%' then 'now()'
               else '''x''' end || '::' || t::regtype, ', ' order by at), '') as values
         from pg_proc p
         cross join (values (true), (false)) as n (nulls)
         left join unnest(p.proargtypes) with ordinality as a (t, at) on true
         where pronamespace = 'oncekey'::regnamespace
         group by p.oid, nulls`,
    )
    expect(all.length).toBeGreaterThan(80)
    return all
  }

  async function contents(): Promise<unknown[]> {
    const tables = await database.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c
         where relnamespace = 'oncekey'::regnamespace and relkind in ('r', 'p')`,
    )
    const digests = tables.map(
      ({ name }) =>
        `select '${name}' as name, md5(string_agg(t::text, ',' order by t::text)) from ${name} t`,
    )
    return await database.query(digests.join(' union all '))
  }
})

test('deferred constraints and triggers run in the role of the handler', async () => {
  await database.query(`
    create table seen (name text);
    create table deferring (id text);
    grant insert on seen, deferring to ${tenant};
    create function see() returns trigger language plpgsql as $$
      begin insert into seen values (current_user); return null; end $$;
    create constraint trigger late after insert on deferring
      deferrable initially deferred for each row execute function see()`)
  const attempt = attemptOf(await storeOn(appPool()).begin(claimOf()))
  const tx = await attempt.transaction()
  await becomeTenant(tx)
  await tx.query("insert into deferring values ('1')")
  expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
  expect(await database.query('select name from seen')).toEqual([{ name: tenant }])
})
