import type { Statement } from '@oncekey/postgres/client'

/**
 * Makes a transaction one of a run's; raises where somebody else has the run by now, where the move
 * before is not on record, or where the run was cancelled.
 */
export function holdRunStatement(schema: string): (hold: HoldRun) => Statement {
  const text = `
    select ${schema}.saga_hold_2($1::text, $2::bigint, $3::text, $4::text, $5::integer,
      $6::integer)`

  return ({ id, epoch, move, state, leaseMs, backstopMs }) => ({
    name: 'saga_hold_run',
    text,
    values: [id, epoch, move, state, leaseMs, backstopMs],
  })
}

export interface HoldRun {
  readonly id: string
  readonly epoch: number
  /** The name of the last move that its owner has on record. */
  readonly move: string
  /** As its owner knows it. */
  readonly state: 'running' | 'compensating'
  readonly leaseMs: number
  /** After how long without a statement the server ends the transaction; 0 for never. */
  readonly backstopMs: number
}
