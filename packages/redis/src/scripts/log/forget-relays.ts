import { relaysKey, retiredKey, subscriptionsKey } from '../../log/slot-keys.ts'
import { type Script, script, wordIn } from '../script.ts'

/** Forgets who asked for slots of a consumer, and notes that it was retired: its cursors are not lost. */
export const forgetRelaysScript: Script<{ readonly consumer: string }, 'forgotten'> = script({
  name: 'forget-relays',
  text: `
-- KEYS[1] the mark that it was retired
-- KEYS[2] the relays of the consumer
-- KEYS[3] the record of what it wants
-- ARGV[1] how long the mark is kept, milliseconds
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return 'forgotten'
`,
  keys: ({ consumer }) => [retiredKey(consumer), relaysKey(consumer), subscriptionsKey(consumer)],
  args: () => [MARK_KEPT_MS],
  reply: (raw) => wordIn(raw, ['forgotten']),
})

/** By then whoever still asked for it in vain has been restarted. */
const MARK_KEPT_MS = 7 * 24 * 60 * 60 * 1000
