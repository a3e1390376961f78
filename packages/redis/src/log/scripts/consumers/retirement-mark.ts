import { integerIn, type Script, script, textIn, wordIn } from '../../../client/script.ts'
import { relaysKey, retiredKey, subscriptionsKey } from '../../keys/slot-keys.ts'

/**
 * The mark that a consumer was retired. It says what is yet to be set aside and how, in JSON; empty: by
 * the release before, which sets nothing aside; 'done'.
 */
export const DONE = 'done'

/** The mark of a consumer, or that there is none. */
export const findRetirementScript: Script<{ readonly consumer: string }, string | null> = script({
  name: 'find-retirement',
  text: `
-- KEYS[1] the mark
local mark = redis.call('GET', KEYS[1])
return mark and 'retired:' .. mark or ''
`,
  keys: ({ consumer }) => [retiredKey(consumer)],
  args: () => [],
  reply(raw) {
    const text = textIn(raw)
    return text === '' ? null : text.slice('retired:'.length)
  },
})

/** Forgets who asked for slots of a consumer, and notes that it is retired: its cursors are not lost. */
export const beginRetirementScript: Script<RetirementQuestion, 'noted'> = script({
  name: 'begin-retirement',
  text: `
-- KEYS[1] the mark
-- KEYS[2] the relays of the consumer
-- KEYS[3] the record of what it wants
-- ARGV[1] what is to be done
-- ARGV[2] how long the mark is kept, milliseconds
-- Removed first: a full server lets through what has begun so.
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'noted'
`,
  keys: ({ consumer }) => [retiredKey(consumer), relaysKey(consumer), subscriptionsKey(consumer)],
  args: ({ mark }) => [mark, MARK_KEPT_MS],
  reply: (raw) => wordIn(raw, ['noted']),
})

/** Notes that it is done, unless the consumer has begun anew or is retired once more. */
export const endRetirementScript: Script<RetirementQuestion, boolean> = script({
  name: 'end-retirement',
  text: `
-- KEYS[1] the mark
-- ARGV[1] what was to be done
-- ARGV[2] what the mark says from now on
-- ARGV[3] how long it is kept, milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`,
  keys: ({ consumer }) => [retiredKey(consumer)],
  args: ({ mark }) => [mark, DONE, MARK_KEPT_MS],
  reply: (raw) => integerIn(raw) === 1,
})

export interface RetirementQuestion {
  readonly consumer: string
  readonly mark: string
}

/** By then whoever still asked for it in vain has been restarted. */
const MARK_KEPT_MS = 7 * 24 * 60 * 60 * 1000
