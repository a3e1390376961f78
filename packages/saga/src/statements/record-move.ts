import type { OutboxEvent } from '@oncekey/core'
import { eventsJson, type Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './find-run.ts'
import type { StepStateJson } from './run-json.ts'

/** Writes a move of a run, all or nothing; raises where somebody else has the run by now. */
export function recordMoveStatement(schema: string): (move: RecordMove) => Statement {
  const text = `
    select ${schema}.saga_record($1::text, $2::bigint, $3::integer, $4::boolean, $5::json,
      $6::json)::text`

  return ({ id, epoch, leaseMs, within, move, events }) => ({
    name: 'saga_record_move',
    text,
    values: [
      id,
      epoch,
      leaseMs,
      String(within),
      JSON.stringify(move),
      events.length === 0 ? null : eventsJson(events),
    ],
  })
}

export interface RecordMove {
  readonly id: string
  readonly epoch: number
  readonly leaseMs: number
  /** Whether it ends the transaction of a step. */
  readonly within: boolean
  readonly move: MoveJson
  readonly events: readonly OutboxEvent[]
}

/**
 * A move as `saga_record` reads it. What is JSON by itself is a string in it: as a value of its own,
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
  readonly next:
    | { readonly kind: 'hold' }
    | { readonly kind: 'wait'; readonly ms: number }
    | { readonly kind: 'park' }
    | { readonly kind: 'end' }
}
