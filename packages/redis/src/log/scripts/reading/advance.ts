import type { DeliveryAttempt, DeliveryVerdict, HeldSlot } from '@oncekey/core'
import {
  integerIn,
  listIn,
  type Script,
  type ScriptArgument,
  script,
} from '../../../client/script.ts'
import { entryIdOf } from '../../keys/life.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { advanceLua } from './lua.ts'

/**
 * Moves cursors, and files the passed events that failed. Does nothing for a slot that is not held,
 * or whose cursor is further ahead. It also refuses a position past the end of the stream, which
 * was read before the stream was lost: the relay has to take the slot anew.
 */
export const advanceScript: Script<AdvanceQuestion, number[]> = script({
  name: 'advance',
  text: advanceLua,
  keys: ({ consumer, slots }) =>
    slots.flatMap(({ slot }) => {
      const { arrived, consumers, dead, deliveries, outbox } = slotKeys(slot)
      return [consumers, outbox, deliveries, dueKey(slot, consumer), dead, arrived]
    }),
  args: ({ consumer, slots }) => [
    consumer,
    ...slots.flatMap(({ epoch, position, calm, failed }): ScriptArgument[] => [
      epoch,
      entryIdOf(position),
      calm ? 1 : 0,
      failed.length,
      ...failed.flatMap(({ eventId, event, data, verdict, attempt }) => [
        eventId,
        event,
        data,
        ...verdictArguments(verdict),
        attempt === null ? '' : JSON.stringify(attempt),
      ]),
    ]),
  ],
  reply: (raw, { slots }) => listIn(raw).map((at) => slots[integerIn(at)]?.slot as number),
})

/** A verdict as arguments: its kind, and its delay or reason. */
export function verdictArguments(
  verdict: DeliveryVerdict | { readonly kind: 'done' },
): [kind: string, detail: ScriptArgument] {
  if (verdict.kind === 'dead') return ['dead', verdict.reason]
  if (verdict.kind === 'retrying') return ['retrying', Math.ceil(verdict.delayMs)]
  return ['done', '']
}

export interface AdvanceQuestion {
  readonly consumer: string
  readonly slots: readonly SlotMove[]
}

export interface SlotMove extends HeldSlot {
  readonly position: string
  readonly calm: boolean
  readonly failed: readonly FiledEvent[]
}

/** A failed event in the form in which it is stored. */
export interface FiledEvent {
  readonly eventId: string
  /** JSON of the event, without its data. */
  readonly event: string
  readonly data: string
  readonly verdict: DeliveryVerdict
  readonly attempt: DeliveryAttempt | null
}
