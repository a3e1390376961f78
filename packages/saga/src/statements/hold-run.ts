import type { Statement } from '@oncekey/postgres/client'

/** Makes a transaction one of a run's; raises where somebody else has the run by now. */
export function holdRunStatement(schema: string): (hold: HoldRun) => Statement {
  const text = `
    select ${schema}.saga_hold($1::text, $2::bigint, $3::integer, $4::integer)::text`

  return ({ id, epoch, leaseMs, backstopMs }) => ({
    name: 'saga_hold_run',
    text,
    values: [id, epoch, leaseMs, backstopMs],
  })
}

export interface HoldRun {
  readonly id: string
  readonly epoch: number
  readonly leaseMs: number
  /** After how long without a statement the server ends the transaction; 0 for never. */
  readonly backstopMs: number
}
