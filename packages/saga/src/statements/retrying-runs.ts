import type { RetryingFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { deadRun } from './dead-runs.ts'
import type { FailureJson } from './run-json.ts'

/**
 * Lists open runs, the oldest first, each with the last failure of a step and the time at which it
 * continues. Runs that have not failed, or failed in another step, are read too: `looked` limits
 * how many are read, and `is_meant` marks those that match the filter.
 */
export function listRetryingRuns(
  schema: string,
): (
  filter: RetryingFilter,
  looked: number,
  after: readonly [startedAt: string, id: string] | undefined,
) => Statement<RetryingRunRow> {
  const text = `
    select ${deadRun(schema)} as run, f.failure,
        (extract(epoch from r.started_at) * 1000000)::bigint::text as started_exact,
        (select (extract(epoch from w.due_at) * 1000)::bigint::text from ${schema}.saga_work w
          where w.run_id = r.id and isfinite(w.due_at)) as due_at,
        (f.failure is not null and r.state in ('running', 'compensating')
          and ($2::text is null or r.state = $2::text)
          and ($3::text is null or f.step = $3::text))::text as is_meant
      from ${schema}.saga_runs r
      left join lateral (
        select f.step, json_build_object('step', f.step, 'attempt', f.attempt, 'error', f.error)::text
            as failure
          from ${schema}.saga_failures f where f.run_id = r.id order by f.seq desc limit 1
      ) f on true
      where r.ended_at is null and ($1::text is null or r.saga = $1::text)
        and ($4::bigint is null or (r.started_at, r.id)
          > (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::text))
      order by r.started_at, r.id
      limit $6::integer`

  return ({ origin, type, subject }, looked, after) => ({
    name: 'saga_list_retrying_runs',
    text,
    values: [
      origin ?? null,
      type ?? null,
      subject ?? null,
      after?.[0] ?? null,
      after?.[1] ?? null,
      looked,
    ],
    cancellable: true,
  })
}

export interface RetryingRunRow {
  /** JSON of {@link DeadRunJson}. */
  readonly run: string
  /** JSON of {@link LastFailureJson}, or null. */
  readonly failure: string | null
  readonly started_exact: string
  /** Milliseconds since 1970; null while no process may take it. */
  readonly due_at: string | null
  readonly is_meant: 'true' | 'false'
}

export interface LastFailureJson {
  readonly step: string
  readonly attempt: number
  readonly error: FailureJson
}
