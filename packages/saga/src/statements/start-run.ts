import type { Statement } from '@oncekey/postgres/client'

/**
 * A run that begins, unless there is one by that id: then nothing, and no row. With an owner it is
 * that one's at once; without, whoever comes first may take it.
 */
export function startRunStatement(schema: string): (run: NewRun) => Statement<{ id: string }> {
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
    ), step as (
      insert into ${schema}.saga_steps (run_id, position, name, state)
        select id, 0, $10::text, 'begun' from run where $10::text is not null
    )
    select id from run`

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
  /** JSON text, as is `input`. */
  readonly plan: string
  readonly input: string | null
  readonly fingerprint: string
  /** 0 without an owner. Milliseconds. */
  readonly leaseMs: number
  readonly owner: string | null
  /** The first step, where it reaches outside: it is on record before it runs. */
  readonly begun: string | null
  readonly traceparent: string | null
  /** The name of its first move. */
  readonly move: string
}
