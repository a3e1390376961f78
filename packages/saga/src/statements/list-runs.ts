import type { Statement } from '@oncekey/postgres/client'
import type { FailureJson, RunStateJson, StuckJson } from './find-run.ts'

/**
 * Runs, the oldest first. Those that nobody here can go on with count as stuck: they are due, and
 * their definition is not one of `known`.
 */
export function listRunsStatement(
  schema: string,
): (filter: ListRuns) => Statement<{ run: string }> {
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
  /** The last id of the page before. */
  readonly after: string | null
  readonly limit: number
  /** For how long a run must have been due before it counts as unknown. Milliseconds. */
  readonly graceMs: number
}

/** What `run` is, in JSON. */
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
