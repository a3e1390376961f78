import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './run-json.ts'

/** Makes a run continue from where it stopped. */
export function resumeRun(
  schema: string,
): (id: string) => Statement<{ state: RunStateJson | null }> {
  const text = `select ${schema}.saga_resume_2($1::text, false) as state`
  return (id) => ({ name: 'saga_resume_run', text, values: [id] })
}

/** Undoes a run. */
export function compensateRun(
  schema: string,
): (compensate: CompensateRun) => Statement<{ state: RunStateJson | 'past-pivot' | null }> {
  const text = `
    select ${schema}.saga_compensate_2($1::text, $2::integer, $3::text, $4::boolean) as state`

  return ({ id, forwardFrom, error, pastPivot }) => ({
    name: 'saga_compensate_run',
    text,
    values: [id, forwardFrom, error, String(pastPivot)],
  })
}

export interface CompensateRun {
  readonly id: string
  /** The position of the first step that cannot be undone. */
  readonly forwardFrom: number
  /** The reason, as JSON text. */
  readonly error: string
  readonly pastPivot: boolean
}

/** Ends a run that was put right by hand. */
export function settleRun(
  schema: string,
): (id: string, note: string) => Statement<{ state: RunStateJson | null }> {
  const text = `select ${schema}.saga_settle_3($1::text, $2::text) as state`
  return (id, note) => ({ name: 'saga_settle_run', text, values: [id, note] })
}
