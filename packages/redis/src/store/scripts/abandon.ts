import type { Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import { ENDED_CHANNEL } from '../record/endings.ts'
import { ID_IN_RECORD_KEY, type RecordKeys } from '../record/record-keys.ts'
import { RECORD_VERSION } from './claim.ts'

/**
 * Makes the key `unknown` from now on: its lease is over, and no token owns it. If the record was
 * lost (see `complete.ts`), it is written again in that state, so that a claim with `hold` does not
 * run.
 */
export const abandonScript: Script<AbandonQuestion, 'abandoned' | 'superseded'> = script({
  name: 'abandon',
  text: `
-- KEYS[1]   the record
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   how long to remember the key, milliseconds
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'awaited', 'claimed_at')
local version, state, token = record[1], record[2], record[3]
local awaited, claimed_at = record[4], record[5]

if version and version ~= '${RECORD_VERSION}' then
  return 'superseded'
end
if state and (state ~= 'running' or token ~= ARGV[1]) then
  return 'superseded'
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', '', 'number', ARGV[2],
  'lease_until', string.format('%.0f', now), 'claimed_at', claimed_at or string.format('%.0f', now))
redis.call('HDEL', KEYS[1], 'awaited')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if awaited then
  redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
end
return 'abandoned'
`,
  keys: ({ keys }) => [keys.record],
  args: ({ token, number, fingerprint, keyRetentionMs }) => [
    token,
    number,
    fingerprint,
    keyRetentionMs,
  ],
  reply: (raw) => wordIn(raw, ['abandoned', 'superseded']),
})

export interface AbandonQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
  readonly fingerprint: Fingerprint
  readonly keyRetentionMs: number
}
