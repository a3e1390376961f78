import { sqlState } from '@oncekey/postgres/client'
import type { QueryConfig } from 'pg'
import type { Asked } from './asked.ts'
import type { CheckResult } from './finding.ts'

/** PostgreSQL 14, the oldest version that `migrate` accepts. */
const OLDEST = 140_000

export async function serverResult({ query }: Asked): Promise<CheckResult> {
  const [row] = await query<{ version: string; number: number; encoding: string }>(
    `select current_setting('server_version') as version,
        current_setting('server_version_num')::integer as number,
        current_setting('server_encoding') as encoding`,
  )
  const { version = '', number = 0, encoding = '' } = row ?? {}
  const findings: CheckResult['findings'][number][] = []
  if (number < OLDEST) {
    findings.push({
      level: 'fault',
      what: `The server is PostgreSQL ${version}.`,
      why: 'Oncekey needs 14 or newer.',
      todo: 'Upgrade the server.',
    })
  }
  if (encoding !== 'UTF8') {
    findings.push({
      level: 'fault',
      what: `The database is encoded in ${encoding}.`,
      why: 'It cannot hold every key, response and event.',
      todo: 'Create one in UTF8 and migrate that.',
      statements: ["create database oncekey encoding 'UTF8' template template0;"],
    })
  }
  return { well: `PostgreSQL ${version}, ${encoding}`, findings }
}

/**
 * Checks for a pooler in statement mode, which gives each statement another connection and so
 * refuses transactions.
 */
export async function poolerResult({ call }: Asked): Promise<CheckResult> {
  const well = 'a transaction stays on its connection'
  const client = await call.postgres().connect()
  let isBroken = true
  try {
    await client.query({ text: 'begin', query_timeout: 10_000 } as QueryConfig)
    await client.query('rollback')
    isBroken = false
    return { well, findings: [] }
  } catch (error) {
    if (sqlState(error) !== '08P01') throw error
    return {
      well,
      findings: [
        {
          level: 'fault',
          what: 'There is a pooler in statement mode in between.',
          why: 'It refuses transactions, and every handler runs in one.',
          todo: 'Set `pool_mode = transaction` in PgBouncer, or connect past it.',
        },
      ],
    }
  } finally {
    client.release(isBroken)
  }
}

export async function writesResult({ query }: Asked): Promise<CheckResult> {
  const [row] = await query<{ standby: boolean; read_only: string }>(
    `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only`,
  )
  if (row?.standby) {
    return {
      well: '',
      findings: [
        {
          level: 'fault',
          what: 'The server is a standby.',
          why: 'It takes no writes: every request is answered 503.',
          todo: 'Name its primary, or a host name that follows it.',
        },
      ],
    }
  }
  if (row?.read_only === 'on') {
    return {
      well: '',
      findings: [
        {
          level: 'fault',
          what: 'Transactions of this login are read-only by default.',
          why: 'Every request is answered 503.',
          todo: 'Reset it for this role, or for the database.',
          statements: ['alter role current_user reset default_transaction_read_only;'],
        },
      ],
    }
  }
  return { well: 'it takes writes', findings: [] }
}

export async function durabilityResult({ query, call }: Asked): Promise<CheckResult> {
  const rows = await query<{ who: string; name: string; setting: string; statement: string }>(
    `select 'this login' as who, name, setting,
          case when source in ('user', 'database user') then 'alter role current_user reset ' || name
            when source = 'database' then format('alter database %I reset %s', current_database(), name)
            else format('alter system set %s = ''on''', name) end || ';' as statement
        from pg_settings where name in ('synchronous_commit', 'fsync', 'full_page_writes')
      union all
      select 'role ' || r.rolname, split_part(c, '=', 1), split_part(c, '=', 2),
          format('alter role %I%s reset %s;', r.rolname,
            case when s.setdatabase = 0 then '' else format(' in database %I', current_database()) end,
            split_part(c, '=', 1))
        from pg_db_role_setting s join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c
        where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and split_part(c, '=', 1) = 'synchronous_commit' and r.rolname = $1`,
    [call.given.text('role') ?? null],
  )
  const off = rows.filter(({ setting }) => setting === 'off')
  return {
    well: 'what is committed is on disk (synchronous_commit, fsync, full_page_writes)',
    findings: off.map(({ who, name, statement }) => ({
      level: 'fault' as const,
      what: `${name} is off for ${who}.`,
      why:
        name === 'synchronous_commit'
          ? 'A crash loses the last commits that clients were told of: their retries run the handler again.'
          : 'A crash of the machine may damage the data beyond repair.',
      todo: `Set it on${name === 'synchronous_commit' ? '' : ', and reload the configuration'}.`,
      statements: [
        statement,
        ...(statement.startsWith('alter system') ? ['select pg_reload_conf();'] : []),
      ],
    })),
  }
}

/** The default of `handlerTimeoutMs`. */
const SHORTEST_IDLE = '30s'

export async function timeoutsResult({ query }: Asked): Promise<CheckResult> {
  const [row] = await query<{
    idle: string
    is_short: boolean
    transaction: string | null
    database: string
  }>(
    `select current_setting('idle_in_transaction_session_timeout') as idle,
        current_setting('idle_in_transaction_session_timeout')::interval
          < '${SHORTEST_IDLE}'::interval as is_short,
        current_setting('transaction_timeout', true) as transaction,
        quote_ident(current_database()) as database`,
  )
  const findings: CheckResult['findings'][number][] = []
  if (row?.idle === '0') {
    findings.push({
      level: 'warning',
      what: 'idle_in_transaction_session_timeout is off.',
      why: 'A session that hangs in a transaction keeps its locks, and holds vacuum and the log back, for ever. Transactions of Oncekey set their own; those of others do not.',
      todo: 'Set it to more than the longest pause that a transaction of yours makes.',
      statements: [
        `alter database ${row.database} set idle_in_transaction_session_timeout = '60s';`,
      ],
    })
  }
  if (row?.idle !== '0' && row?.is_short) {
    findings.push({
      level: 'warning',
      what: `idle_in_transaction_session_timeout is ${row.idle}.`,
      why: `A handler may take ${SHORTEST_IDLE} by default (handlerTimeoutMs). One that sends no statement for ${row.idle} loses its transaction: its request is answered 503.`,
      todo: 'Set it above the handlerTimeoutMs of your routes, for the role that serves them.',
    })
  }
  if (row?.transaction != null && row.transaction !== '0') {
    findings.push({
      level: 'warning',
      what: `transaction_timeout is ${row.transaction}.`,
      why: 'A handler that takes longer is undone by the server, whatever its own time limit is.',
      todo: 'Set it above the longest time limit of your handlers, or to 0.',
    })
  }
  return { well: `idle transactions end after ${row?.idle}`, findings }
}

export async function connectionsResult({ query }: Asked): Promise<CheckResult> {
  const [row] = await query<{ used: number; most: number }>(
    `select count(*)::integer as used, current_setting('max_connections')::integer
          - current_setting('superuser_reserved_connections')::integer as most
        from pg_stat_activity where backend_type = 'client backend'`,
  )
  const { used = 0, most = 0 } = row ?? {}
  const isFull = used >= most * 0.9
  return {
    well: `${used} of ${most} connections are in use`,
    findings: isFull
      ? [
          {
            level: 'warning',
            what: `${used} of ${most} connections are in use.`,
            why: 'Whoever comes next is refused, and requests are answered 503.',
            todo: 'Make the pools smaller, put PgBouncer in transaction mode in between, or raise max_connections.',
          },
        ]
      : [],
  }
}
