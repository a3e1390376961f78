import type { OutboxEvent } from '@oncekey/core'
import { eventsJson, type Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './find-run.ts'
import type { StepStateJson } from './run-json.ts'

/**
 * Writes a move of a run, all or nothing; raises where somebody else has the run by now, or where the
 * move before is not on record. Answers `cancelled` where an operator has cancelled the run since:
 * then the attempt's own step was written, and nothing that leads on. Of a `whole` move nothing is
 * written then, and it raises.
 */
export function recordMoveStatement(
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
  /** The names of the move before this one, and of this one. */
  readonly before: string
  readonly next: string
  /** Of the run, as its owner knows it. */
  readonly state: 'running' | 'compensating'
  readonly leaseMs: number
  /** Whether it ends the transaction of a step. */
  readonly within: boolean
  /** Whether it begins a step from which there is no way back. */
  readonly guarded: boolean
  /** The position of the step that was tried; null for a move that is no attempt's. */
  readonly own: number | null
  readonly move: MoveJson
  readonly events: readonly OutboxEvent[]
}

/**
 * A move as `saga_record_2` reads it. What is JSON by itself is a string in it: as a value of its own,
 * PostgreSQL would decode it on the way in, and refuse \u0000.
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
  /** Written altogether or not at all, also where the run was cancelled. */
  readonly whole?: true
  readonly next:
    | { readonly kind: 'hold' }
    | { readonly kind: 'wait'; readonly ms: number }
    | { readonly kind: 'give-back'; readonly now: boolean }
    | { readonly kind: 'park' }
    | { readonly kind: 'end' }
}
