import { type Script, script, wordIn } from '../../client/script.ts'
import { ENDED_CHANNEL } from '../record/endings.ts'
import { ID_IN_RECORD_KEY, type RecordKeys } from '../record/record-keys.ts'
import { RECORD_VERSION } from './claim.ts'
import { RELEASE_REMEMBERED_MS } from './release.ts'

/**
 * Undoes a claim whose handler never ran. A key that was free is free again. If it had been
 * released before, it says so again, as `release.ts` leaves it, because the released attempt may
 * yet complete. A key taken over from an attempt without an outcome is `unknown` again, because
 * that attempt may have had effects.
 */
export const giveBackScript: Script<GiveBackQuestion, 'given-back' | 'superseded'> = script({
  name: 'give-back',
  text: `
-- KEYS[1]   the record
-- ARGV[1]   token of the claim
-- ARGV[2]   how long to remember the key if its outcome is unknown, milliseconds
-- ARGV[3]   how long to remember that it was released, milliseconds
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'number', 'awaited', 'freed')
local version, state, token = record[1], record[2], record[3]
local number, awaited, freed = record[4], record[5], record[6]

if version ~= '${RECORD_VERSION}' or state ~= 'running' or token ~= ARGV[1] then
  return 'superseded'
end

if number == '1' then
  redis.call('DEL', KEYS[1])
  if freed then
    redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
else
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'token', '', 'lease_until', string.format('%.0f', now))
  redis.call('HDEL', KEYS[1], 'awaited')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if awaited then
  redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
end
return 'given-back'
`,
  keys: ({ keys }) => [keys.record],
  args: ({ token, keyRetentionMs }) => [token, keyRetentionMs, RELEASE_REMEMBERED_MS],
  reply: (raw) => wordIn(raw, ['given-back', 'superseded']),
})

export interface GiveBackQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly keyRetentionMs: number
}
