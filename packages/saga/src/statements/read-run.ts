import type { Statement } from '@oncekey/postgres/client'
import type { FailureJson, RunStateJson, StuckJson } from './find-run.ts'
import type { StepStateJson } from './run-json.ts'

/** All there is to know of a run, times in milliseconds. */
export function readRunStatement(schema: string): (id: string) => Statement<{ run: string }> {
  const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
        'definition', r.definition, 'plan', r.plan, 'state', r.state, 'input', r.input,
        'failed_step', r.failed_step, 'error', r.error, 'stuck', r.stuck, 'note', r.note,
        'started_at', ${ms('r.started_at')}, 'ended_at', ${ms('r.ended_at')},
        'due_at', case when isfinite(w.due_at) then ${ms('w.due_at')} end, 'owner', w.owner,
        'epoch', w.epoch,
        'steps', (
          select coalesce(json_agg(json_build_object('position', s.position, 'name', s.name,
              'state', s.state, 'attempts', s.attempts,
              'compensation_attempts', s.compensation_attempts, 'result', s.result,
              'begun_at', ${ms('s.begun_at')}, 'done_at', ${ms('s.done_at')},
              'compensated_at', ${ms('s.compensated_at')}) order by s.position), '[]')
            from ${schema}.saga_steps s where s.run_id = r.id),
        'failures', (
          select coalesce(json_agg(json_build_object('step', f.step, 'direction', f.direction,
              'attempt', f.attempt, 'error', f.error, 'duration_ms', f.duration_ms,
              'failed_at', ${ms('f.failed_at')}) order by f.seq), '[]')
            from ${schema}.saga_failures f where f.run_id = r.id))::text as run
      from ${schema}.saga_runs r left join ${schema}.saga_work w on w.run_id = r.id
      where r.id = $1::text`

  return (id) => ({ name: 'saga_read_run', text, values: [id], cancellable: true })
}

/** What `run` is, in JSON. */
export interface WholeRunJson {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
  readonly state: RunStateJson
  readonly input: unknown
  readonly failed_step: string | null
  readonly error: FailureJson | null
  readonly stuck: StuckJson | null
  readonly note: string | null
  readonly started_at: number
  readonly ended_at: number | null
  readonly due_at: number | null
  readonly owner: string | null
  readonly epoch: number | null
  readonly steps: readonly {
    readonly position: number
    readonly name: string
    readonly state: StepStateJson
    readonly attempts: number
    readonly compensation_attempts: number
    readonly result: unknown
    readonly begun_at: number
    readonly done_at: number | null
    readonly compensated_at: number | null
  }[]
  readonly failures: readonly {
    readonly step: string
    readonly direction: 'run' | 'compensate'
    readonly attempt: number
    readonly error: FailureJson
    readonly duration_ms: number
    readonly failed_at: number
  }[]
}
