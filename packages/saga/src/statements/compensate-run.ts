import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './find-run.ts'

/** Has a run undone. */
export function compensateRunStatement(
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
  /** The position from which on its saga only goes forward. */
  readonly forwardFrom: number
  /** Why, as JSON text. */
  readonly error: string
  readonly pastPivot: boolean
}
