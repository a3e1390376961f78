import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'

/** Deletes a consumer's cursors, so that it holds no events back. */
export const retireScript: Script<RetireQuestion, 'retired'> = script({
  name: 'retire',
  text: `
-- KEYS[i] the consumers of each slot
-- ARGV[1] consumer
for i = 1, #KEYS do
  redis.call('HDEL', KEYS[i], ARGV[1])
end
return 'retired'
`,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).consumers),
  args: ({ consumer }) => [consumer],
  reply: (raw) => wordIn(raw, ['retired']),
})

export interface RetireQuestion {
  readonly slots: readonly number[]
  readonly consumer: string
}
