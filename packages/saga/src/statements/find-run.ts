import type { DeadReason } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'

/** How a run stands, for who waits for its end. */
export function findRunStatement(schema: string): (id: string) => Statement<{ run: string }> {
  const text = `
    select json_build_object('saga', r.saga, 'version', r.version, 'definition', r.definition,
        'plan', r.plan, 'fingerprint', r.fingerprint, 'state', r.state, 'input', r.input,
        'failed_step', r.failed_step, 'error', r.error, 'stuck', r.stuck, 'note', r.note,
        'due_in_ms', case when isfinite(w.due_at)
          then ceil(extract(epoch from w.due_at - clock_timestamp()) * 1000) end,
        'owned', w.owner is not null,
        'results', (
          select coalesce(json_object_agg(s.name, s.result), '{}')
            from ${schema}.saga_steps s
            where s.run_id = r.id and s.state = 'done' and r.state = 'completed'))::text as run
      from ${schema}.saga_runs r left join ${schema}.saga_work w on w.run_id = r.id
      where r.id = $1::text`

  return (id) => ({ name: 'saga_find_run', text, values: [id], cancellable: true })
}

/** What `run` is, in JSON. */
export interface FoundRunJson {
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
  readonly fingerprint: string
  readonly state: RunStateJson
  readonly input: unknown
  readonly failed_step: string | null
  readonly error: FailureJson | null
  readonly stuck: StuckJson | null
  readonly note: string | null
  /** Until somebody may take it; null where nobody may, or it has ended. */
  readonly due_in_ms: number | null
  readonly owned: boolean
  /** By step, of a run that is completed. */
  readonly results: Readonly<Record<string, unknown>>
}

export type RunStateJson =
  | 'running'
  | 'compensating'
  | 'completed'
  | 'compensated'
  | 'stuck'
  | 'compensation-failed'
  | 'settled'

/** An error as it is kept. */
export interface FailureJson {
  readonly name: string
  readonly message: string
  readonly code?: string
  /** Of a PermanentError. */
  readonly details?: unknown
  readonly stack?: string
}

/** Why a run does not go on by itself. */
export interface StuckJson {
  readonly reason: DeadReason
  readonly step: string
  /** Of the last attempt. */
  readonly error: Pick<FailureJson, 'name' | 'message' | 'code'>
  /** The same for errors of one kind. */
  readonly fingerprint: string
  readonly attempts: number
}
