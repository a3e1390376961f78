import type { Fingerprint } from '@oncekey/core'
import { type Script, script, wordIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { RECORD_VERSION } from './claim.ts'

/**
 * Extends the lease, counted from now, even after it ran out if nobody took the key. If the record
 * was lost (see `complete.ts`), it is written again, so that retries are held off from the first
 * renewal after a failover.
 */
export const renewScript: Script<RenewQuestion, 'held' | 'stale'> = script({
  name: 'renew',
  text: `
-- KEYS[1]   the record
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   lease, milliseconds
-- ARGV[5]   how long to remember the key from now: the lease plus the retention, milliseconds
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'claimed_at')
local version, state, token, claimed_at = record[1], record[2], record[3], record[4]

if version and version ~= '${RECORD_VERSION}' then
  return 'stale'
end
if state and (state ~= 'running' or token ~= ARGV[1]) then
  return 'stale'
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', ARGV[1], 'number', ARGV[2],
  'lease_until', string.format('%.0f', now + ARGV[4]), 'leased_at', string.format('%.0f', now),
  'claimed_at', claimed_at or string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'held'
`,
  keys: ({ keys }) => [keys.record],
  args: ({ token, number, fingerprint, leaseMs, keyRetentionMs }) => [
    token,
    number,
    fingerprint,
    leaseMs,
    Math.ceil(leaseMs) + keyRetentionMs,
  ],
  reply: (raw) => wordIn(raw, ['held', 'stale']),
})

export interface RenewQuestion {
  readonly keys: RecordKeys
  readonly token: string
  readonly number: number
  readonly fingerprint: Fingerprint
  readonly leaseMs: number
  readonly keyRetentionMs: number
}
