import type { Redrive } from '@oncekey/core'
import type { Statement } from '../../sql/sql-client.ts'
import { auditCall } from '../audit/audit-call.ts'
import { dueAt } from './due-at.ts'
import type { RedriveKind } from './redrive-kind.ts'

/**
 * A redrive as the database returns it. Numbers and times (milliseconds since 1970) are text;
 * `filter` is JSON.
 */
export interface RedriveRow {
  readonly id: string
  readonly source: string
  readonly kind: Redrive['kind']
  readonly filter: string
  readonly rate: string
  readonly most: string | null
  readonly state: Redrive['state']
  readonly matched: string
  readonly redriven: string
  readonly refused: string
  readonly actor: string
  readonly note: string
  readonly started_at: string
  readonly ended_at: string | null
}

const columns = `r.id::text as id, r.source, r.kind, r.filter::text as filter, r.rate::text as rate,
        r.most::text as most, r.state, r.matched::text as matched, r.redriven::text as redriven,
        r.refused::text as refused, r.actor, r.note,
        (extract(epoch from r.started_at) * 1000)::bigint::text as started_at,
        (extract(epoch from r.ended_at) * 1000)::bigint::text as ended_at`

/**
 * Puts a redrive on record with an audit entry and the number of letters that match at this moment,
 * counted up to 100,000. If a redrive with the same name was started before, returns that one, with
 * what it takes. Returns no row if it was started in this very moment: `findStarted` finds it then.
 */
export function startRedrive(
  schema: string,
  kind: RedriveKind,
): (asked: {
  readonly filter: unknown
  readonly rate: number
  readonly most: number | null
  readonly requestId: string | undefined
  readonly actor: string | null
  readonly note: string | null
}) => Statement<StartedRedrive> {
  return ({ filter, rate, most, requestId, actor, note }) => {
    const values = kind.values(filter)
    const [json, pace, limit, by, why, request] = [1, 2, 3, 4, 5, 6].map(
      (n) => `$${values.length + n}`,
    )
    const audit = auditCall(schema, {
      actor: by as string,
      note: why as string,
      act: 'redrives.start',
      target: `'["redrive","' || made.id || '"]'`,
      detail: `jsonb_build_object('source', made.source, 'kind', made.kind,
          'filter', made.filter::jsonb, 'matched', made.matched)`,
    })
    return {
      name: `start_redrive_${kind.source}_${kind.kind}`,
      text: `
      with mine as materialized (select clock_timestamp() as started_at), started as materialized (
        select r.id, ${SCOPE} as scope from ${schema}.redrives r
          where r.source = '${kind.source}' and r.request = ${request}::text
      ), made as (
        insert into ${schema}.redrives (source, kind, filter, rate, most, actor, note, matched,
            started_at, request)
          select '${kind.source}', '${kind.kind}', ${json}::json, ${pace}::double precision,
              ${limit}::bigint, coalesce(${by}::text, 'login ' || session_user::text),
              coalesce(${why}::text, ''), (
                select count(*) from (
                  select from ${kind.table} ${kind.join}
                    where ${kind.isCandidate(filter)} and ${kind.isMeant}
                    limit ${COUNTED}
                ) c
              ), mine.started_at, ${request}::text
            from mine where not exists (select from started)
          on conflict (source, request) where request is not null do nothing
          returning *
      )
      select made.id::text as id, null as scope, ${audit}::text as operation from made
      union all
      select started.id::text, started.scope, null from started`,
      values: [...values, JSON.stringify(filter), rate, most, actor, note, requestId ?? null],
    }
  }
}

/** A redrive's id, and what it takes (JSON) if it was there already. */
export interface StartedRedrive {
  readonly id: string
  readonly scope: string | null
}

const SCOPE = `json_build_object('id', r.id::text, 'kind', r.kind, 'filter', r.filter, 'limit',
    r.most)::text`

/** The redrive that was started with this name. */
export function findStarted(
  schema: string,
): (source: string, requestId: string) => Statement<StartedRedrive> {
  return (source, requestId) => ({
    name: 'find_started_redrive',
    text: `
      select r.id::text as id, ${SCOPE} as scope from ${schema}.redrives r
        where r.source = $1::text and r.request = $2::text`,
    values: [source, requestId],
    cancellable: true,
  })
}

/** The count of matching letters at the start of a redrive stops here. */
const COUNTED = 100_000

/**
 * The redrives of a source that are running, of kinds that this release knows, and when each is
 * due, the soonest first. A newer release may have kinds that this one does not know. Processes of
 * that release carry them.
 */
export function runningRedrives(
  schema: string,
): (
  source: string,
  kinds: readonly string[],
) => Statement<{ id: string; kind: string; filter: string; due_in_ms: string }> {
  return (source, kinds) => ({
    name: 'running_redrives',
    text: `
      select r.id::text as id, r.kind, r.filter::text as filter,
          ceil(extract(epoch from ${dueAt('r')} - clock_timestamp()) * 1000)::bigint::text as due_in_ms
        from ${schema}.redrives r
        where r.source = $1::text and r.state = 'running'
          and r.kind = any(array(select json_array_elements_text($2::json)))
        order by ${dueAt('r')} limit 20`,
    values: [source, JSON.stringify(kinds)],
    cancellable: true,
  })
}

/**
 * Makes a redrive whose portion has failed due later, so that the others come first: only so many
 * are carried at once. One that is not due is left: its portion was carried although that seemed to
 * fail, and has set when the next is due, or another process has put it off.
 */
export function putOffRedrive(schema: string): (id: string) => Statement {
  return (id) => ({
    name: 'put_off_redrive',
    text: `
      update ${schema}.redrives r set next_at = clock_timestamp() + interval '5 seconds'
        where r.id = $1::bigint and r.state = 'running' and ${dueAt('r')} <= clock_timestamp()`,
    values: [id],
  })
}

export function findRedrive(schema: string): (id: string) => Statement<RedriveRow> {
  return (id) => ({
    name: 'find_redrive',
    text: `select ${columns} from ${schema}.redrives r where r.id = $1::bigint`,
    values: [id],
    cancellable: true,
  })
}

/**
 * Lists redrives, the newest first, from below `before`. The caller filters them (`isMeant` in
 * redrive-records.ts).
 */
export function listRedrives(
  schema: string,
): (before: string | null, limit: number) => Statement<RedriveRow> {
  return (before, limit) => ({
    name: 'list_redrives',
    text: `
      select ${columns} from ${schema}.redrives r
        where $1::bigint is null or r.id < $1::bigint
        order by r.id desc limit $2::integer`,
    values: [before, limit],
    cancellable: true,
  })
}

export interface PortionRow {
  readonly number: string
  readonly at: string
  /** JSON: ids, and what became of each. */
  readonly redriven: string
  readonly refused: string
}

export function listPortions(
  schema: string,
): (id: string, after: string | null, limit: number) => Statement<PortionRow> {
  return (id, after, limit) => ({
    name: 'list_redrive_portions',
    text: `
      select p.number::text as number, (extract(epoch from p.at) * 1000)::bigint::text as at,
          p.redriven::text as redriven, p.refused::text as refused
        from ${schema}.redrive_portions p
        where p.redrive = $1::bigint and ($2::bigint is null or p.number > $2::bigint)
        order by p.number limit $3::integer`,
    values: [id, after, limit],
    cancellable: true,
  })
}

/** Ends a redrive that is running, with its audit entry. */
export function cancelRedrive(
  schema: string,
): (id: string, actor: string, note: string) => Statement<{ outcome: 'cancelled' | 'over' }> {
  const audit = auditCall(schema, {
    actor: '$2',
    note: '$3',
    act: 'redrives.cancel',
    target: `'["redrive","' || ended.id || '"]'`,
    detail: `jsonb_build_object('matched', ended.matched, 'redriven', ended.redriven)`,
  })
  return (id, actor, note) => ({
    name: 'cancel_redrive',
    text: `
      with ended as (
        update ${schema}.redrives r set state = 'cancelled', ended_at = clock_timestamp()
          where r.id = $1::bigint and r.state = 'running'
          returning *
      )
      select case when e.id is null then 'over' else 'cancelled' end as outcome,
          (select ${audit} from ended)::text as operation
        from ${schema}.redrives r left join ended e on e.id = r.id
        where r.id = $1::bigint`,
    values: [id, actor, note],
  })
}
