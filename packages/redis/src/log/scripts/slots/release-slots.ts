import type { HeldSlot } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { releaseSlotsLua } from './lua.ts'

/** Releases slots. A slot that is held under another epoch is not changed. */
export const releaseSlotsScript: Script<ReleaseSlotsQuestion, 'released'> = script({
  name: 'release-slots',
  text: releaseSlotsLua,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).consumers),
  args: ({ consumer, slots }) => [consumer, ...slots.map(({ epoch }) => epoch)],
  reply: (raw) => wordIn(raw, ['released']),
})

export interface ReleaseSlotsQuestion {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
}
