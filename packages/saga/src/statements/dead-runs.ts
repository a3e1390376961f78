import { type actedBy, type DeadLetterFilter, namesLetters } from '@oncekey/core'
import {
  auditCall,
  diedWithin,
  type LookedAt,
  lookedAt,
  type SqlValue,
  type Statement,
} from '@oncekey/postgres/client'
import type { RunStateJson, StuckJson } from './run-json.ts'

export const IS_DEAD: string = `r.state in ('stuck', 'compensation-failed')`

/**
 * The predicate that selects dead runs. Counting, listing and redriving share it, so that a redrive
 * takes exactly what its preview showed. It needs a table called `r` and parameters 1 to 9.
 */
export const isMeant: string = `${IS_DEAD}
        and ($1::json is null or r.id in (select json_array_elements_text($1::json)))
        and ($2::json is null or r.id in (select json_array_elements_text($2::json)))
        and ($3::text is null or r.saga = $3::text)
        and ($4::text is null or r.state = $4::text)
        and ($5::text is null or r.stuck->>'step' = $5::text)
        and ($6::text is null or r.stuck->>'reason' = $6::text)
        and ($7::text is null or r.stuck->>'fingerprint' = $7::text)
        and ${diedWithin('r.stuck_at')}`

/**
 * Whether a filter names its runs; one for retired letters names none. A statement with such a
 * filter has another text, and so another name.
 */
function isNamed(filter: DeadLetterFilter): boolean {
  return namesLetters(filter) || filter.retired === true
}

/** The runs that a count or a page looks at, as a table called `r`. */
function lookedAtOf(schema: string, filter: DeadLetterFilter): LookedAt {
  return lookedAt({ ...RUNS, table: `${schema}.saga_runs r` }, isNamed(filter))
}

const RUNS = {
  isDead: IS_DEAD,
  at: 'r.stuck_at',
  id: 'r.id',
  pageToken: `floor(extract(epoch from r.stuck_at) * 1000000)::bigint || ' ' || r.id`,
} as const

export function filterValues(given: DeadLetterFilter): SqlValue[] {
  // A saga cannot be retired, so a filter for retired letters matches nothing.
  const filter: DeadLetterFilter = given.retired === true ? { ids: [] } : given
  return [
    filter.ids === undefined ? null : JSON.stringify(filter.ids),
    filter.eventIds === undefined ? null : JSON.stringify(filter.eventIds),
    filter.origin ?? null,
    filter.type ?? null,
    filter.subject ?? null,
    filter.reason ?? null,
    filter.fingerprint ?? null,
    filter.deadBefore?.toISOString() ?? null,
    filter.deadAfter?.toISOString() ?? null,
  ]
}

/**
 * A run with what its dead letter needs, with times in microseconds. It needs a table called `r`.
 */
export function deadRun(schema: string): string {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000000)`
  return `json_build_object('id', r.id, 'saga', r.saga, 'state', r.state, 'stuck', r.stuck,
      'stuck_at', ${at('r.stuck_at')}, 'started_at', ${at('r.started_at')}, 'resumes', r.resumes,
      'note', r.note, 'first_failed_at', (
        select ${at('min(f.failed_at)')} from ${schema}.saga_failures f where f.run_id = r.id
      ))::text`
}

export interface DeadRunJson {
  readonly id: string
  readonly saga: string
  readonly state: RunStateJson
  readonly stuck: StuckJson | null
  readonly stuck_at: number | null
  readonly started_at: number
  readonly first_failed_at: number | null
  readonly resumes: number
  readonly note: string | null
}

/**
 * Lists dead runs, the longest dead first. `after` is the last run of the page before. Where a page
 * is short and there are more runs to look at, each row has the page token behind those it looked
 * at. A page without runs is one row without a run.
 */
export function listDeadRuns(
  schema: string,
): (
  filter: DeadLetterFilter,
  limit: number,
  after: Pick<DeadRunJson, 'stuck_at' | 'id'> | undefined,
) => Statement<{ readonly run: string | null; readonly looked_to: string | null }> {
  const isBehind = `($10::bigint is null or (r.stuck_at, r.id)
          > (timestamptz 'epoch' + $10::bigint * interval '1 microsecond', $11::text))`
  return (filter, limit, after) => ({
    name: isNamed(filter) ? 'saga_list_named_dead_runs' : 'saga_list_dead_runs',
    text: `
      select page.run, case when count(page.run) over () < $12::integer
          then ${lookedAtOf(schema, filter).last(isBehind)} end as looked_to
      from (select) one left join lateral (
        select ${deadRun(schema)} as run,
            row_number() over (order by r.stuck_at, r.id) as number
          from ${lookedAtOf(schema, filter).letters(isBehind)}
          where ${isMeant} and ${isBehind}
          order by r.stuck_at, r.id
          limit $12::integer
      ) page on true
      order by page.number`,
    values: [...filterValues(filter), after?.stuck_at ?? null, after?.id ?? null, limit],
    cancellable: true,
  })
}

/** A run that is or was dead. */
export function findDeadRun(schema: string): (id: string) => Statement<{ run: string }> {
  const text = `
    select ${deadRun(schema)} as run
      from ${schema}.saga_runs r
      where r.id = $1::text and (r.stuck is not null or r.state = 'settled')`
  return (id) => ({ name: 'saga_find_dead_run', text, values: [id], cancellable: true })
}

/** The number of dead runs that match a filter. */
export function countDeadRuns(
  schema: string,
): (filter: DeadLetterFilter) => Statement<{ count: string }> {
  return (filter) => ({
    name: isNamed(filter) ? 'saga_count_named_dead_runs' : 'saga_count_dead_runs',
    text: `select count(*)::text as count from ${lookedAtOf(schema, filter).letters()} where ${isMeant}`,
    values: filterValues(filter),
    cancellable: true,
  })
}

/**
 * Lets dead runs continue, the longest dead first. The runs are locked first: of a run that
 * somebody else has resumed meanwhile, the function would return only its new state, and this act
 * would name it as its own.
 */
export function redriveDeadRuns(
  schema: string,
): (
  filter: DeadLetterFilter,
  limit: number,
  by: ReturnType<typeof actedBy>,
) => Statement<{ id: string; state: RunStateJson }> {
  const audit = auditCall(schema, {
    actor: '$11',
    note: '$12',
    act: 'dead-letters.redrive',
    target: `'["dead-letters","sagas"]'`,
    detail: `jsonb_build_object('ids', jsonb_agg(put.id order by put.id))`,
  })
  const text = `
    with due as materialized (
      select r.id from ${schema}.saga_runs r
        where ${isMeant}
        order by r.stuck_at, r.id
        limit $10::integer
        for no key update of r
    ), put as materialized (
      select due.id, ${schema}.saga_resume_3(due.id, true) as state from due
    )
    select put.id, put.state,
        (select ${audit} from put where put.state in ('running', 'compensating')
          having count(*) > 0)::text as operation
      from put`

  return (filter, limit, by) => ({
    name: 'saga_redrive_dead_runs',
    text,
    values: [...filterValues(filter), limit, by.actor, by.note],
  })
}
