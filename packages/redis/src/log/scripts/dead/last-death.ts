import { type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { lastDeathLua } from './lua.ts'

/**
 * The place of the newest dead letter, microseconds; 0 if there is none. It lies in the future if
 * the clock was put back since.
 */
export const lastDeathScript: Script<{ readonly slots: readonly number[] }, number> = script({
  name: 'last-death',
  text: lastDeathLua,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).dead),
  args: () => [],
  reply: (raw) => Number(textIn(raw)),
})
