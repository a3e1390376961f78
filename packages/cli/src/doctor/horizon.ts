import { shownDuration } from '../output/page.ts'
import type { Asked } from './asked.ts'
import type { CheckResult } from './finding.ts'

/**
 * Reports old transactions, replication slots and the like. They keep vacuum from removing dead
 * rows, and keep the log from dropping events that every consumer has passed.
 */
export async function horizonResult({ query, longestTransactionMs }: Asked): Promise<CheckResult> {
  const holders = await query<Holder>(HOLDERS, [longestTransactionMs])
  const [vacuum] = await query<{ autovacuum: string; counts: string }>(
    `select current_setting('autovacuum') as autovacuum, current_setting('track_counts') as counts`,
  )
  const findings: CheckResult['findings'][number][] = holders.map((holder) => ({
    level: 'warning' as const,
    what: `${whoOf(holder)} for ${shownDuration(Number(holder.age_ms))}.`,
    why: 'Nothing that was deleted or updated since then can be cleared up: tables and indexes grow and get slow.',
    todo: WHAT_TO_DO[holder.kind],
    statements: [holder.statement],
  }))
  if (vacuum?.autovacuum === 'off' || vacuum?.counts === 'off') {
    const name = vacuum.autovacuum === 'off' ? 'autovacuum' : 'track_counts'
    findings.push({
      level: 'fault',
      what: `${name} is off.`,
      why: 'Nothing is cleared up: cursors and leases, which are rewritten all the time, grow without end.',
      todo: 'Set it on and reload the configuration.',
      statements: [`alter system set ${name} = 'on';`, 'select pg_reload_conf();'],
    })
  }
  const well = `no transaction is older than ${shownDuration(longestTransactionMs)}, and autovacuum is on`
  return { well, findings }
}

interface Holder {
  readonly kind: 'session' | 'prepared' | 'slot'
  readonly name: string
  readonly who: string
  readonly age_ms: string
  readonly statement: string
}

function whoOf({ kind, name, who }: Holder): string {
  if (kind === 'session') return `Backend ${name} (${who}) has had a transaction open`
  if (kind === 'prepared') return `The prepared transaction ${name} (${who}) has waited`
  return `Replication slot ${name} (${who}) has held the horizon`
}

const WHAT_TO_DO: Readonly<Record<Holder['kind'], string>> = {
  session: 'Find out what it does, and end it if that is nothing.',
  prepared: 'Commit it or roll it back: whoever prepared it is gone.',
  slot: 'Bring its standby or consumer back; drop the slot if nobody needs it any more.',
}

/**
 * A role without pg_read_all_stats sees neither the state nor the start of other roles' sessions.
 */
const HOLDERS = `
  select * from (
    select 'session' as kind, pid::text as name,
        concat_ws(', ', usename, nullif(application_name, ''), state) as who,
        (extract(epoch from clock_timestamp() - xact_start) * 1000)::bigint as age_ms,
        format('select pg_terminate_backend(%s);', pid) as statement
      from pg_stat_activity
      where pid <> pg_backend_pid() and xact_start is not null and backend_type = 'client backend'
    union all
    select 'prepared', gid, owner || ' in ' || database,
        (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint,
        format('rollback prepared %L;', gid)
      from pg_prepared_xacts
  ) h where h.age_ms > $1::bigint
  order by h.age_ms desc limit 20`
