import { type actedBy, actTarget } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './run-json.ts'

type Actor = ReturnType<typeof actedBy>

/** Makes a run continue from where it stopped; `under-way`: a process drives it. */
export function resumeRun(
  schema: string,
): (id: string, by: Actor) => Statement<{ state: RunStateJson | 'under-way' | null }> {
  const text = `
    select ${schema}.saga_act_3('sagas.resume', $1::text, $2::text, $3::text, $4::text, null, null,
      false) as state`
  return (id, by) => ({
    name: 'saga_resume_run',
    text,
    values: [id, by.actor, by.note, actTarget('saga-run', id)],
  })
}

/** Undoes a run. */
export function compensateRun(
  schema: string,
): (compensate: CompensateRun) => Statement<{ state: RunStateJson | 'past-pivot' | null }> {
  const text = `
    select ${schema}.saga_act_3('sagas.compensate', $1::text, $5::text, $6::text, $7::text, $2::integer,
      $3::text, $4::boolean) as state`

  return ({ id, forwardFrom, error, pastPivot, by }) => ({
    name: 'saga_compensate_run',
    text,
    values: [
      id,
      forwardFrom,
      error,
      String(pastPivot),
      by.actor,
      by.note,
      actTarget('saga-run', id),
    ],
  })
}

export interface CompensateRun {
  readonly id: string
  /** The position of the first step that cannot be undone. */
  readonly forwardFrom: number
  /** The reason, as JSON text. */
  readonly error: string
  readonly pastPivot: boolean
  readonly by: Actor
}

/** Ends a run that was repaired by hand, whether it is dead or waits. */
export function settleRun(
  schema: string,
): (id: string, note: string, by: Actor) => Statement<{ state: RunStateJson | null }> {
  const text = `
    select ${schema}.saga_act_3('sagas.settle', $1::text, $3::text, $2::text, $4::text, null, null,
      false) as state`
  return (id, note, by) => ({
    name: 'saga_settle_run',
    text,
    values: [id, note, by.actor, actTarget('saga-run', id)],
  })
}

/** Ends a run that is dead, and tells whether it was. */
export function discardRun(
  schema: string,
): (id: string, note: string, by: Actor) => Statement<{ discarded: string }> {
  const text = `
    select ${schema}.saga_discard($1::text, $3::text, $2::text, $4::text)::text as discarded`
  return (id, note, by) => ({
    name: 'saga_discard_run',
    text,
    values: [id, note, by.actor, actTarget('saga-run', id)],
  })
}
