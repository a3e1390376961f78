import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { retireLua } from './lua.ts'

/** Deletes a consumer's cursors, so that it holds no events back. */
export const retireScript: Script<RetireQuestion, 'retired'> = script({
  name: 'retire',
  text: retireLua,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).consumers),
  args: ({ consumer }) => [consumer],
  reply: (raw) => wordIn(raw, ['retired']),
})

export interface RetireQuestion {
  readonly slots: readonly number[]
  readonly consumer: string
}
