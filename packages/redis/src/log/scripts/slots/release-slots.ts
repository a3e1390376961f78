import type { HeldSlot } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { releaseSlotsLua } from './lua.ts'

/**
 * Releases slots. A slot that is held under another epoch is not changed, unless its relay leaves.
 */
export const releaseSlotsScript: Script<ReleaseSlotsQuestion, 'released'> = script({
  name: 'release-slots',
  text: releaseSlotsLua,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).consumers),
  args: ({ consumer, leaving, slots }) => [
    consumer,
    leaving ?? '',
    ...slots.map(({ epoch }) => epoch),
  ],
  reply: (raw) => wordIn(raw, ['released']),
})

export interface ReleaseSlotsQuestion {
  readonly consumer: string
  /** The relay, if it leaves: then all that it holds among these slots is released. */
  readonly leaving: string | undefined
  readonly slots: readonly HeldSlot[]
}
