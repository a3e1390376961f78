import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { listConsumersLua } from './lua.ts'

/** The consumers that have a cursor in these slots, each once per slot. */
export const listConsumersScript: Script<{ readonly slots: readonly number[] }, string[]> = script({
  name: 'list-consumers',
  text: listConsumersLua,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).consumers),
  args: () => [],
  reply: (raw) => listIn(raw).map(textIn),
})
