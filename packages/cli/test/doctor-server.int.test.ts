import { postgresLog } from '@oncekey/postgres'
import {
  durable,
  type PostgresServer,
  startPgBouncer,
  startPostgres,
  startStandby,
} from '@oncekey/test-servers'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, type Found, findings, MIGRATED } from './findings.ts'
import { oncekey } from './oncekey.ts'

function eventOf(id: string) {
  return {
    id: `01890000-0000-7000-8000-00000000000${id}`,
    type: 'order.created',
    source: '/shop',
    subject: null,
    orderingKey: id,
    data: '{}',
    headers: {},
    occurredAt: new Date(),
  }
}

const DEAD_DELIVERY = `
  insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
      headers, occurred_at, state, reason, attempts, starts, due_at, dead_at, error_name,
      error_message, fingerprint)
    values ('email', 1, 1, 'e1', 'order.created', '/shop', 'a', '{}', '{}', now(), 'dead', 'exhausted',
      10, 10, now(), now(), 'TypeError', 'no', 'f1')`

describe('doctor on PostgreSQL', () => {
  let postgres: PostgresServer
  let admin: pg.Pool
  let count = 0

  beforeAll(async () => {
    postgres = await startPostgres({
      settings: {
        ...durable,
        idle_in_transaction_session_timeout: '60s',
        max_prepared_transactions: '5',
      },
    })
    admin = new pg.Pool({ connectionString: postgres.url })
    // Migrates one database; the databases of the tests are copies of it.
    await admin.query(`create database ${MIGRATED}`)
    const { code, stderr } = await oncekey(['migrate', '--database', onServer(MIGRATED), ...ALL])
    if (code !== 0) throw new Error(stderr)
  })

  afterAll(async () => {
    await admin.end()
    await postgres.stop()
  })

  function onServer(database: string): string {
    return Object.assign(new URL(postgres.url), { pathname: `/${database}` }).href
  }

  async function inDatabase(
    work: (db: {
      url: string
      query: (sql: string) => Promise<pg.QueryResult>
      pool: pg.Pool
    }) => Promise<void>,
    { options = `template ${MIGRATED}` } = {},
  ): Promise<void> {
    count += 1
    const name = `doctor_${count}`
    await admin.query(`create database ${name} ${options}`)
    const url = onServer(name)
    const pool = new pg.Pool({ connectionString: url })
    pool.on('error', () => {})
    try {
      await work({ url, query: (sql) => pool.query(sql), pool })
    } finally {
      await pool.end()
      await admin.query(`drop database ${name} with (force)`)
    }
  }

  const only = async (url: string, args: readonly string[] = []): Promise<Found> => {
    const { found } = await findings(['--database', url, ...args])
    expect(found).toHaveLength(1)
    return found[0] as Found
  }

  test('grants that a role lacks, for what it is there for', async () => {
    await inDatabase(async ({ url, query }) => {
      await query(`create role doctor_app login password 'app'`)
      const revoked =
        'revoke all on all tables in schema oncekey from doctor_app; ' +
        'revoke all on all sequences in schema oncekey from doctor_app'
      try {
        const asked = ['--role', 'doctor_app', '--for', 'request', '--for', 'relay']
        const { check, what, statements = [] } = await only(url, asked)
        expect(check).toBe('grants')
        expect(what).toMatch(/^Role doctor_app lacks \d+ of the privileges it needs/)
        for (const statement of statements) await query(statement)
        expect((await findings(['--database', url, ...asked])).found).toEqual([])
        // Revokes exactly what `grants` prints.
        await query(revoked)
        const { stdout } = await oncekey(['grants', ...asked])
        await query(stdout)
        expect((await findings(['--database', url, ...asked])).found).toEqual([])
        expect((await only(url, ['--role', 'nobody_at_all'])).what).toBe(
          'There is no role nobody_at_all.',
        )
        // What a role may not read is reported as skipped, and the program does not fail.
        const own = new URL(url)
        own.username = 'doctor_app'
        own.password = 'app'
        await query(revoked)
        const blind = await oncekey(['doctor', '--database', own.href])
        expect(blind.code).toBe(0)
        expect(blind.stdout).toMatch(/\? schema: could not look: .*permission denied/)
        expect(blind.stdout).toMatch(/\nNothing is wrong with what this role may look at; 4 checks/)
        await query('grant select on oncekey.migrations to doctor_app')
        const { checks } = await findings(['--database', own.href])
        expect(checks).toContainEqual({
          check: 'unknown keys',
          state: 'skipped',
          because: expect.stringContaining('permission denied'),
        })
      } finally {
        await query('drop owned by doctor_app')
        await query('drop role doctor_app')
      }
    })
  })

  test('settings of the server, the database and the role', async () => {
    await inDatabase(async ({ url, query }) => {
      const name = new URL(url).pathname.slice(1)
      await query(`alter database ${name} set idle_in_transaction_session_timeout = 0`)
      await query(`alter database ${name} set synchronous_commit = off`)
      await query(`alter database ${name} set transaction_timeout = '5s'`)
      const { found } = await findings(['--database', url])
      expect(found.map(({ check, what }) => `${check}: ${what}`)).toEqual([
        'durability: synchronous_commit is off for this login.',
        'timeouts: idle_in_transaction_session_timeout is off.',
        'timeouts: transaction_timeout is 5s.',
      ])
      for (const { statements = [] } of found) {
        for (const statement of statements) await query(statement)
      }
      await query(`alter database ${name} set idle_in_transaction_session_timeout = '29s'`)
      const short = await findings(['--database', url])
      expect(short.found.map(({ check, what }) => `${check}: ${what}`)).toEqual([
        'timeouts: idle_in_transaction_session_timeout is 29s.',
        'timeouts: transaction_timeout is 5s.',
      ])
      await query(`alter database ${name} set idle_in_transaction_session_timeout = '30s'`)
      await query(`alter database ${name} reset transaction_timeout`)
      expect((await findings(['--database', url])).found).toEqual([])

      await query(`create role doctor_lazy`)
      await query(`alter role doctor_lazy set synchronous_commit = off`)
      await query(`grant all on all tables in schema oncekey to doctor_lazy`)
      try {
        const lazy = await only(url, ['--role', 'doctor_lazy'])
        expect(lazy.what).toBe('synchronous_commit is off for role doctor_lazy.')
        for (const statement of lazy.statements ?? []) await query(statement)
        expect((await findings(['--database', url, '--role', 'doctor_lazy'])).found).toEqual([])
      } finally {
        await query('drop owned by doctor_lazy')
        await query('drop role doctor_lazy')
      }
    })
  })

  test('who holds the horizon: a session that hangs, and a transaction that was prepared', async () => {
    await inDatabase(async ({ url, query, pool }) => {
      const hanging = await pool.connect()
      await hanging.query('begin')
      await hanging.query('select txid_current()')
      await query(`begin; create table t (); prepare transaction 'forgotten'`)
      const { found } = await findings(['--database', url, '--max-transaction', '0s'])
      const mine = found.filter(({ what }) => /idle in transaction|forgotten/.test(what))
      expect(mine).toHaveLength(2)
      expect(mine[0]).toMatchObject({ check: 'horizon', level: 'warning' })
      hanging.on('error', () => {})
      for (const { statements = [] } of mine) {
        for (const statement of statements) await query(statement)
      }
      hanging.release(true)
      const after = await findings(['--database', url, '--max-transaction', '0s'])
      expect(after.found.filter(({ what }) => /idle in transaction|forgotten/.test(what))).toEqual(
        [],
      )
    })
  })

  test('keys that are unknown, consumers that are behind or gone, dead letters', async () => {
    await inDatabase(async ({ url, query, pool }) => {
      await query(
        `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until)
          values ('http', 's', 'k', 'f', 1, 't', now() - interval '1 hour')`,
      )
      const log = postgresLog({ client: pool })
      await log.subscribe({ consumer: 'email', types: null, startAt: 'beginning' })
      await log.subscribe({ consumer: 'gone', types: null, startAt: 'beginning' })
      await query(
        `update oncekey.consumers set seen_at = now() - interval '1 day' where name = 'gone'`,
      )
      await log.append([eventOf('1'), eventOf('2')])
      await query(DEAD_DELIVERY)
      const { found } = await findings(['--database', url, '--max-lag', '1'])
      expect(found.map(({ check, what }) => `${check}: ${what}`)).toEqual([
        expect.stringMatching(/^unknown keys: 1 key has an outcome that is unknown/),
        expect.stringMatching(/^lag: Consumer "email" is behind by 2 events/),
        expect.stringMatching(/^lag: No relay has asked for consumer "gone" for 1d.*; .* 2 events/),
        expect.stringMatching(/^dead letters: 1 dead letter of consumers, .* email: TypeError: no/),
      ])
    })
  })

  test('a pooler in statement mode', async () => {
    await inDatabase(async ({ url }) => {
      const pooler = await startPgBouncer(url, { settings: { pool_mode: 'statement' } })
      try {
        const { check, what, todo } = await only(pooler.through(url))
        expect({ check, what }).toEqual({
          check: 'pooler',
          what: 'There is a pooler in statement mode in between.',
        })
        expect(todo).toContain('pool_mode = transaction')
      } finally {
        await pooler.stop()
      }
      const good = await startPgBouncer(url)
      try {
        expect((await findings(['--database', good.through(url)])).found).toEqual([])
      } finally {
        await good.stop()
      }
    })
  })

  test('a standby, and a login that only reads', async () => {
    await inDatabase(async ({ url, query }) => {
      const standby = await startStandby(postgres)
      try {
        await standby.caughtUp()
        const there = new URL(url)
        there.port = String(standby.port)
        const { found } = await findings(['--database', there.href])
        expect(found.map(({ what }) => what)).toContain('The server is a standby.')
      } finally {
        await standby.stop()
      }
      await query(
        `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
      )
      expect((await only(url)).what).toBe('Transactions of this login are read-only by default.')
    })
  })
})

test('doctor finds a server that may lose what is committed, and that clears nothing up', async () => {
  // A server with the settings of tests: fsync and full_page_writes are off.
  const postgres = await startPostgres({ settings: { autovacuum: 'off', max_connections: '10' } })
  const pool = new pg.Pool({ connectionString: postgres.url, max: 6 })
  pool.on('error', () => {})
  try {
    await oncekey(['migrate', '--database', postgres.url])
    const held = await Promise.all(Array.from({ length: 6 }, () => pool.connect()))
    const { found } = await findings(['--database', postgres.url])
    expect(found.map(({ check, level, what }) => `${level} ${check}: ${what}`)).toEqual([
      'fault durability: fsync is off for this login.',
      'fault durability: full_page_writes is off for this login.',
      'warning timeouts: idle_in_transaction_session_timeout is off.',
      'warning connections: 7 of 7 connections are in use.',
      'fault horizon: autovacuum is off.',
    ])
    for (const client of held) client.release()
  } finally {
    await pool.end()
    await postgres.stop()
  }
})
