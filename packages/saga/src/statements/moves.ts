import type { OutboxEvent } from '@oncekey/core'
import { eventsJson, type Statement } from '@oncekey/postgres/client'
import type { RunStateJson, StepStateJson } from './run-json.ts'

/**
 * Writes a move of a run, all or nothing. Raises if another process has the run, or if the last
 * move on record is not the expected one. If an operator has cancelled the run, writes only the
 * attempted step and returns `cancelled`; for a `whole` move, writes nothing and raises.
 */
export function recordMove(
  schema: string,
): (move: RecordMove) => Statement<{ outcome: 'written' | 'cancelled' }> {
  const text = `
    select ${schema}.saga_record_4($1::text, $2::bigint, $3::text, $4::text, $5::text, $6::integer,
      $7::boolean, $8::boolean, $9::integer, $10::json, $11::json) as outcome`

  return ({ id, epoch, before, next, state, leaseMs, within, guarded, own, move, events }) => ({
    name: 'saga_record_move',
    text,
    values: [
      id,
      epoch,
      before,
      next,
      state,
      leaseMs,
      String(within),
      String(guarded),
      own,
      JSON.stringify(move),
      events.length === 0 ? null : eventsJson(events),
    ],
  })
}

export interface RecordMove {
  readonly id: string
  readonly epoch: number
  /** The name of the last recorded move, and the name of this one. */
  readonly before: string
  readonly next: string
  /** The state in which the owner believes the run to be. */
  readonly state: 'running' | 'compensating'
  readonly leaseMs: number
  /** Whether the move ends a step's transaction. */
  readonly within: boolean
  /** Whether the move begins a step that cannot be undone. */
  readonly guarded: boolean
  /** The position of the attempted step; null if the move does not come from an attempt. */
  readonly own: number | null
  readonly move: MoveJson
  readonly events: readonly OutboxEvent[]
}

/**
 * The argument of `saga_record_4`. JSON values inside it are strings, because PostgreSQL would
 * decode nested JSON and refuse \u0000.
 */
export interface MoveJson {
  readonly steps: readonly {
    readonly position: number
    readonly name: string
    readonly state: StepStateJson
    readonly attempts: number
    readonly compensation_attempts: number
    readonly result: string | null
  }[]
  readonly failures: readonly {
    readonly step: string
    readonly direction: 'run' | 'compensate'
    readonly attempt: number
    readonly error: string
    readonly duration_ms: number
  }[]
  readonly run?: {
    readonly state: RunStateJson
    readonly failed_step?: string
    readonly error?: string
    readonly stuck?: string
    readonly ended?: true
  }
  /** Whether the move is to be written completely or not at all, even if the run was cancelled. */
  readonly whole?: true
  readonly next:
    | { readonly kind: 'hold' }
    | { readonly kind: 'wait'; readonly ms: number }
    | { readonly kind: 'give-back'; readonly now: true }
    | { readonly kind: 'park' }
    | { readonly kind: 'end' }
}
