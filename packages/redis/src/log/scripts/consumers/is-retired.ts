import { integerIn, type Script, script } from '../../../client/script.ts'
import { retiredKey } from '../../keys/slot-keys.ts'

/** Whether a consumer was retired; with `begins`, removes that mark so that it can start anew. */
export const isRetiredScript: Script<IsRetiredQuestion, boolean> = script({
  name: 'is-retired',
  text: `
-- KEYS[1] the mark that the consumer was retired
-- ARGV[1] '1': remove the mark
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[1])
end
return redis.call('EXISTS', KEYS[1])
`,
  keys: ({ consumer }) => [retiredKey(consumer)],
  args: ({ begins }) => [begins ? 1 : 0],
  reply: (raw) => integerIn(raw) === 1,
})

export interface IsRetiredQuestion {
  readonly consumer: string
  readonly begins: boolean
}
