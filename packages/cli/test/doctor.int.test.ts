import { durable, type PostgresServer, startPostgres } from '@oncekey/test-servers'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, type Found, findings, MIGRATED } from './findings.ts'
import { oncekey } from './oncekey.ts'

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

  test('finds nothing where nothing is wrong, and says what it looked at', async () => {
    await inDatabase(async ({ url }) => {
      const { found, checks } = await findings(['--database', url])
      expect(found).toEqual([])
      expect(checks.map(({ check, state }) => `${check} ${state}`)).toEqual([
        ...['server well', 'pooler well', 'writes well', 'durability well', 'timeouts well'],
        ...['connections well', 'horizon well', 'schema well', 'drift well', 'policies well'],
        ...['unknown keys well', 'lag well', 'dead letters well'],
      ])
      const { stdout, code } = await oncekey(['doctor', '--database', url])
      expect(stdout).toMatch(/^✓ server: PostgreSQL 1\d\.\d+, UTF8\n/)
      expect(stdout).toMatch(/\nNothing is wrong\.\n$/)
      expect(code).toBe(0)
    })
  })

  test('a schema that is missing, and a database in another encoding', async () => {
    const options = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0"
    await inDatabase(
      async ({ url }) => {
        const { found } = await findings(['--database', url])
        expect(found).toMatchObject([
          { check: 'server', level: 'fault', what: 'The database is encoded in LATIN1.' },
          { check: 'schema', level: 'fault', todo: expect.stringContaining('oncekey migrate') },
        ])
        const refused = await oncekey(['migrate', '--database', url])
        expect(refused).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/encoded in LATIN1, .* Nothing was changed\.\n$/),
        })
      },
      { options },
    )
  })

  test('a schema that is older, and one that is newer', async () => {
    await inDatabase(async ({ url, query }) => {
      await query(`delete from oncekey.migrations where package = 'saga' and version > 2`)
      expect(await only(url)).toMatchObject({
        check: 'schema',
        level: 'fault',
        what: expect.stringMatching(
          /^The tables of saga are at version 2, and this release is at \d/,
        ),
      })
      await query(`insert into oncekey.migrations (package, version) values ('saga', 999)`)
      expect(await only(url)).toMatchObject({
        check: 'schema',
        level: 'warning',
        todo: expect.stringContaining('npx oncekey@latest'),
      })
    })
  })

  test.each([
    {
      what: 'a dropped index',
      sql: 'drop index oncekey.attempts_claimed_at',
      says: 'Index attempts_claimed_at is gone.',
    },
    {
      what: 'a dropped index of a partitioned table',
      sql: 'drop index oncekey.outbox_xid',
      says: 'Index outbox_xid is gone.',
    },
    {
      what: 'a missing function',
      sql: 'drop function oncekey.claim_2',
      says: 'Function oncekey.claim_2 is gone.',
    },
    {
      what: 'a changed function body',
      sql: 'create or replace function oncekey.takes_writes() returns boolean language sql as $$ select true $$',
      says: 'Function oncekey.takes_writes has another body than the migrations gave it.',
    },
    {
      what: 'a primary key that is gone',
      sql: 'alter table oncekey.records drop constraint records_pkey',
      says: 'Constraint records_pkey of table records is gone.',
      also: 'Index',
    },
    {
      what: 'a column that is gone',
      sql: 'alter table oncekey.records drop column token',
      says: 'Column token of table records is gone.',
    },
    {
      what: 'a column that is gone from a table of webhooks',
      sql: 'alter table oncekey.webhook_endpoints drop column headers',
      says: 'Column headers of table webhook_endpoints is gone.',
    },
    {
      what: 'a table that a crash would empty',
      sql: 'alter table oncekey.records set unlogged',
      says: 'Table records was set UNLOGGED.',
    },
    {
      what: 'an audit that can be changed',
      sql: 'alter table oncekey.operations disable trigger operations_are_only_added',
      says: 'Trigger operations_are_only_added on table operations is disabled.',
    },
    {
      what: 'an audit without its trigger',
      sql: 'drop trigger operations_are_only_added on oncekey.operations',
      says: 'Trigger operations_are_only_added on table operations is gone.',
    },
  ])('$what, with the statement that repairs it', async ({ sql, says }) => {
    await inDatabase(async ({ url, query }) => {
      await query(sql)
      const { what, level, check, statements = [] } = await only(url)
      expect({ what, level, check }).toEqual({ what: says, level: 'fault', check: 'drift' })
      for (const statement of statements) await query(statement)
      expect((await findings(['--database', url])).found).toEqual([])
    })
  })

  test('a table that is gone', async () => {
    await inDatabase(async ({ url, query }) => {
      await query('drop table oncekey.leases cascade')
      const { found } = await findings(['--database', url])
      expect(found[0]).toMatchObject({
        check: 'drift',
        what: 'Table leases of schema oncekey is gone: dropped by somebody.',
        todo: expect.stringContaining('backup'),
      })
    })
  })

  test('an index that was left invalid', async () => {
    await inDatabase(async ({ url, query }) => {
      await query(
        `update pg_index set indisvalid = false where indexrelid = 'oncekey.attempts_claimed_at'::regclass`,
      )
      const { what, statements = [] } = await only(url)
      expect(what).toMatch(/^Index attempts_claimed_at is invalid/)
      for (const statement of statements) await query(statement)
      expect((await findings(['--database', url])).found).toEqual([])
    })
  })
})
