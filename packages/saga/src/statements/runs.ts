import type { Statement } from '@oncekey/postgres/client'
import type { FailureJson, RunStateJson, StepStateJson, StuckJson } from './run-json.ts'

/**
 * Records a new run and returns its id; no row if the id exists. With an owner it belongs to that
 * process at once. Without one, any process may take it. Raises if a trigger drops a part of it:
 * nobody would ever take a run without work.
 */
export function startRun(schema: string): (run: NewRun) => Statement<{ id: string }> {
  const text = `
    with run as (
      insert into ${schema}.saga_runs
          (id, saga, version, definition, plan, input, fingerprint, traceparent)
        values ($1::text, $2::text, $3::integer, $4::text, $5::json, $6::json, $7::text, $11::text)
        on conflict on constraint saga_runs_pkey do nothing
        returning id
    ), work as (
      insert into ${schema}.saga_work
          (run_id, definition, due_at, due_in_ms, owner, epoch, move, move_epoch)
        select id, $4::text, now() + $8::integer * interval '1 millisecond', $8::integer, $9::text, 1,
          $12::text, 1 from run
        returning 1
    ), step as (
      insert into ${schema}.saga_steps (run_id, position, name, state)
        select id, 0, $10::text, 'begun' from run where $10::text is not null
        returning 1
    )
    select id from run
      where ${schema}.saga_written('saga_work', exists (select from work))
        and ${schema}.saga_written('saga_steps', $10::text is null or exists (select from step))`

  return (run) => ({
    name: 'saga_start_run',
    text,
    values: [
      run.id,
      run.saga,
      run.version,
      run.definition,
      run.plan,
      run.input,
      run.fingerprint,
      run.leaseMs,
      run.owner,
      run.begun,
      run.traceparent,
      run.move,
    ],
  })
}

export interface NewRun {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly definition: string
  /** JSON text, as `input` is. */
  readonly plan: string
  readonly input: string | null
  readonly fingerprint: string
  /** The length of the owner's lease; 0 without an owner. Milliseconds. */
  readonly leaseMs: number
  readonly owner: string | null
  /**
   * The name of the first step if it has effects outside the database: such a step is recorded
   * before it runs. Otherwise null.
   */
  readonly begun: string | null
  readonly traceparent: string | null
  /** The name of the run's first move. */
  readonly move: string
}

/** The state of a run, for a caller that waits for its end. */
export function findRun(schema: string): (id: string) => Statement<{ run: string }> {
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

/** The JSON in `run`. */
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
  /**
   * How long until another process may take the run; null if none may, or if the run has ended.
   * Milliseconds.
   */
  readonly due_in_ms: number | null
  readonly owned: boolean
  /** The steps' results by name; only for a completed run. */
  readonly results: Readonly<Record<string, unknown>>
}

/**
 * Everything recorded about a run, with times in milliseconds; of its failed attempts the newest
 * thousand, since a step may be attempted any number of times.
 */
export function readRun(schema: string): (id: string) => Statement<{ run: string }> {
  const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
        'definition', r.definition, 'plan', r.plan, 'state', r.state, 'input', r.input,
        'failed_step', r.failed_step, 'error', r.error, 'stuck', r.stuck, 'note', r.note,
        'started_at', ${ms('r.started_at')}, 'ended_at', ${ms('r.ended_at')},
        'due_at', case when isfinite(w.due_at) then ${ms('w.due_at')} end, 'owner', w.owner,
        'epoch', w.epoch, 'overdue_ms', case when isfinite(w.due_at)
          then floor(extract(epoch from clock_timestamp() - w.due_at) * 1000) end,
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
            from (
              select * from ${schema}.saga_failures f where f.run_id = r.id
                order by f.seq desc limit ${MOST_FAILURES}
            ) f))::text as run
      from ${schema}.saga_runs r left join ${schema}.saga_work w on w.run_id = r.id
      where r.id = $1::text`

  return (id) => ({ name: 'saga_read_run', text, values: [id], cancellable: true })
}

/** The JSON in `run`. */
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
  /** By the database's clock: negative until it is due. Milliseconds. */
  readonly overdue_ms: number | null
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

const MOST_FAILURES = 1_000
