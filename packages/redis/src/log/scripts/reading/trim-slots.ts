import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { trimSlotsLua } from './lua.ts'

/**
 * Deletes entries that every consumer of a slot has passed and that were kept long enough. A
 * consumer that no relay has run for a long time no longer keeps entries from being deleted. If a
 * slot has no consumer, nothing is deleted: a consumer may subscribe later, or another program may
 * read the stream.
 *
 * Deletes at most about 20,000 entries in one call, which takes 5 ms, and returns whether there are
 * more: an exact XTRIM over a million entries blocked the server for 170 ms.
 */
export const trimSlotsScript: Script<TrimSlotsQuestion, TrimmedSlots> = script({
  name: 'trim-slots',
  text: trimSlotsLua,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { consumers, deliveries, outbox, resolved } = slotKeys(slot)
      return [consumers, outbox, deliveries, resolved]
    }),
  args: ({ retentionMs, missingAfterMs, abandonedAfterMs, resolvedRetentionMs }) => [
    retentionMs,
    missingAfterMs,
    abandonedAfterMs,
    resolvedRetentionMs,
  ],
  reply(raw) {
    const [dropped, silent, more] = listIn(raw)
    return {
      dropped: integerIn(dropped),
      more: integerIn(more) === 1,
      silent: listIn(silent).map((each) => {
        const [consumer, seen, how] = listIn(each)
        return {
          consumer: textIn(consumer),
          seenAtMs: integerIn(seen),
          isAbandoned: textIn(how) === 'abandoned',
        }
      }),
    }
  },
})

export interface TrimSlotsQuestion {
  readonly slots: readonly number[]
  readonly retentionMs: number
  readonly missingAfterMs: number
  readonly abandonedAfterMs: number
  readonly resolvedRetentionMs: number
}

export interface TrimmedSlots {
  readonly dropped: number
  /** Whether there is more to delete. */
  readonly more: boolean
  readonly silent: readonly {
    readonly consumer: string
    readonly seenAtMs: number
    readonly isAbandoned: boolean
  }[]
}
