import { inBatch, type Statement } from '@oncekey/postgres/client'
import type { FailureJson, RunStateJson, StuckJson } from './run-json.ts'

/**
 * Lists runs, the oldest first. A due run whose definition is not among `known` counts as stuck.
 */
export function listRuns(schema: string): (filter: ListRuns) => Statement<{ run: string }> {
  const text = `
    select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
        'definition', r.definition, 'plan', r.plan, 'state', r.state,
        'failed_step', r.failed_step, 'error', r.error, 'stuck', r.stuck,
        'unknown', coalesce(w.unknown, false),
        'started_at', floor(extract(epoch from r.started_at) * 1000),
        'ended_at', floor(extract(epoch from r.ended_at) * 1000))::text as run
      from ${schema}.saga_runs r
      left join lateral (
        select w.due_at <= now() - $7::integer * interval '1 millisecond'
            and w.definition not in (select json_array_elements_text($1::json)) as unknown
          from ${schema}.saga_work w where w.run_id = r.id
      ) w on true
      where ($2::text is null or r.saga = $2::text)
        and ($3::text is null or r.state = $3::text)
        and ($4::boolean is null or r.ended_at is null and $4::boolean
          = (r.state in ('stuck', 'compensation-failed') or coalesce(w.unknown, false)))
        and ($5::text is null or r.id > $5::text)
      order by r.id
      limit $6::integer`

  return ({ known, saga, state, stuck, after, limit, graceMs }) => ({
    name: 'saga_list_runs',
    text,
    values: [
      JSON.stringify(known),
      saga,
      state,
      stuck === null ? null : String(stuck),
      after,
      limit,
      graceMs,
    ],
    cancellable: true,
  })
}

export interface ListRuns {
  readonly known: readonly string[]
  readonly saga: string | null
  readonly state: RunStateJson | null
  readonly stuck: boolean | null
  /** The id of the last run of the page before. */
  readonly after: string | null
  readonly limit: number
  /**
   * For how long a run must have been due before its definition counts as unknown. Milliseconds.
   */
  readonly graceMs: number
}

/** The JSON in `run`. */
export interface ListedRunJson {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
  readonly state: RunStateJson
  readonly failed_step: string | null
  readonly error: FailureJson | null
  readonly stuck: StuckJson | null
  readonly unknown: boolean
  readonly started_at: number
  readonly ended_at: number | null
}

/**
 * Lists runs that have been due for `graceMs` and whose definition is not among `known`, by id. It
 * looks at open runs only, and at none that waits for an operator.
 */
export function listUnknownRuns(
  schema: string,
): (filter: Pick<ListRuns, 'known' | 'after' | 'limit' | 'graceMs'>) => Statement<{ run: string }> {
  const text = `
    select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
        'definition', r.definition, 'plan', r.plan)::text as run
      from ${schema}.saga_work w join ${schema}.saga_runs r on r.id = w.run_id
      where w.due_at <= now() - $4::integer * interval '1 millisecond'
        and w.definition not in (select json_array_elements_text($1::json))
        and ($2::text is null or w.run_id > $2::text)
      order by w.run_id
      limit $3::integer`

  return ({ known, after, limit, graceMs }) => ({
    name: 'saga_list_unknown_runs',
    text,
    values: [JSON.stringify(known), after, limit, graceMs],
    cancellable: true,
  })
}

/** The JSON in `run`. */
export type UnknownRunJson = Pick<ListedRunJson, 'id' | 'saga' | 'version' | 'definition' | 'plan'>

/**
 * Deletes runs that ended at least `retentionMs` ago, with everything recorded about them. Runs
 * that ended within the last minute are kept: if a caller of `execute` that waits for a run did not
 * find it, the caller would assume that a failover lost it, and start it again.
 */
export function purgeRuns(
  schema: string,
): (retentionMs: number, limit: number) => Statement<{ count: string }> {
  const { text } = inBatch('saga_purge_runs', [], {
    due: `select id from ${schema}.saga_runs
          where ended_at <= now() - greatest($1::bigint, ${LEAST_MS}) * interval '1 millisecond'
          order by ended_at`,
    taken: `delete from ${schema}.saga_runs where id in (select id from due) returning 1
      ), steps as (
        delete from ${schema}.saga_steps where run_id in (select id from due)
      ), failures as (
        delete from ${schema}.saga_failures where run_id in (select id from due)`,
  })
  return (retentionMs, limit) => ({
    name: 'saga_purge_runs',
    text,
    values: [retentionMs, limit],
  })
}

/**
 * Longer than the interval at which waiting callers poll, and longer than a caller's process is
 * usually suspended. Milliseconds.
 */
const LEAST_MS = 60_000
