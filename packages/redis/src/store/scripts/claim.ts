import type { Claim, Fingerprint } from '@oncekey/core'
import {
  bytesIn,
  integerIn,
  type Script,
  script,
  textIn,
  unreadable,
  wordIn,
} from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'

/** The format of the records that this release writes, and the only one it reads. */
export const RECORD_VERSION = '1'

/**
 * Returns the state of a key, and claims it if it is free.
 *
 * A record is a hash:
 *   v            the format of the record; a release that changes the format changes this number
 *   state        'running', 'done', or 'free' (released; remembered for an hour so that a
 *                completion that comes too late is recognized)
 *   fingerprint  of the request that made the record
 *   token        of the attempt that owns it; empty once that was abandoned
 *   number       of that attempt
 *   lease_until  by the server's clock, milliseconds. A lease ends by this and not by the key's own
 *                expiry, because the record of an expired lease must remain to be `unknown`
 *   leased_at    when that lease began, by the same clock. If the clock is behind it, it was put
 *                back
 *   claimed_at   when the first attempt claimed the key, milliseconds
 *   done_at      when it was completed, milliseconds; for operators
 *   freed        '1' if the key had been released before it was claimed: see `give-back.ts`
 *   awaited      present if a process waits to hear that the attempt ended
 */
export const claimScript: Script<ClaimQuestion, ClaimReply> = script({
  name: 'claim',
  text: `
-- KEYS[1]   the record
-- KEYS[2]   its result
-- ARGV[1]   token of the claim
-- ARGV[2]   lease, milliseconds
-- ARGV[3]   how long to remember the key from now: the lease plus the retention, milliseconds
-- ARGV[4]   'retake' or 'hold': what to do if an attempt ended without an outcome
-- ARGV[5]   '1' if the claim is going to listen for the attempt's end
-- ARGV[6..] fingerprints, the current algorithm's first
local record = redis.call('HMGET', KEYS[1],
  'v', 'state', 'fingerprint', 'token', 'number', 'lease_until', 'leased_at', 'claimed_at')
local version, state, fingerprint = record[1], record[2], record[3]
local token, number, lease_until, leased_at = record[4], record[5], record[6], record[7]
local claimed_at = record[8]

if version and version ~= '${RECORD_VERSION}' then
  return {'newer', version}
end

if state and state ~= 'free' then
  local same = false
  for i = 6, #ARGV do
    same = same or ARGV[i] == fingerprint
  end
  if not same then
    return {'mismatch'}
  end
  if state == 'done' then
    local result = redis.call('GET', KEYS[2])
    if result then
      return {'replay', fingerprint, result}
    end
    return {'result-gone'}
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if not state or state == 'free' then
  number, fingerprint, claimed_at = '1', ARGV[6], nil
elseif token ~= ARGV[1] then
  -- It belongs to another attempt, which is running or ended without an outcome.
  if token ~= '' and leased_at and now < tonumber(leased_at) then
    -- The clock was put back since: the lease keeps its length and starts now.
    lease_until = string.format('%.0f', now + lease_until - leased_at)
    redis.call('HSET', KEYS[1], 'leased_at', string.format('%.0f', now), 'lease_until', lease_until)
  end
  if token ~= '' and tonumber(lease_until) > now then
    if ARGV[5] == '1' then
      redis.call('HSET', KEYS[1], 'awaited', '1')
    end
    return {'in-progress', lease_until - now}
  end
  if ARGV[4] == 'hold' then
    return {'unknown', lease_until}
  end
  number = string.format('%d', number + 1)
end
-- Otherwise this very attempt claims again, because its answer was lost.
local now_text = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', fingerprint, 'token', ARGV[1], 'number', number,
  'lease_until', string.format('%.0f', now + ARGV[2]), 'leased_at', now_text,
  'claimed_at', claimed_at or now_text)
if state == 'free' then
  redis.call('HSET', KEYS[1], 'freed', '1')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if number == '1' and fingerprint == ARGV[6] then
  -- The most frequent answer, as one word.
  return 'fresh'
end
return {'run', number, fingerprint}
`,
  keys: ({ keys }) => [keys.record, keys.result],
  args: ({ claim, keyRetentionMs, listens }) => [
    claim.token,
    claim.leaseMs,
    Math.ceil(claim.leaseMs) + keyRetentionMs,
    claim.whenUnknown,
    listens ? '1' : '0',
    ...claim.fingerprints,
  ],
  reply(raw, { claim }) {
    if (!Array.isArray(raw)) {
      wordIn(raw, ['fresh'])
      return { kind: 'run', number: 1, fingerprint: claim.fingerprints[0] }
    }
    const [kind, first, second] = raw
    switch (textIn(kind)) {
      case 'run':
        return { kind: 'run', number: integerIn(first), fingerprint: textIn(second) }
      case 'replay':
        return { kind: 'replay', fingerprint: textIn(first), result: bytesIn(second) }
      case 'in-progress':
        return { kind: 'in-progress', leaseLeftMs: integerIn(first) }
      case 'mismatch':
        return { kind: 'mismatch' }
      case 'unknown':
        return { kind: 'unknown', since: new Date(integerIn(first)) }
      case 'result-gone':
        return { kind: 'result-gone' }
      case 'newer':
        return { kind: 'newer', version: textIn(first) }
      default:
        throw unreadable(kind)
    }
  },
})

export interface ClaimQuestion {
  readonly keys: RecordKeys
  readonly claim: Claim
  readonly keyRetentionMs: number
  readonly listens: boolean
}

export type ClaimReply =
  | { readonly kind: 'run'; readonly number: number; readonly fingerprint: Fingerprint }
  | { readonly kind: 'replay'; readonly fingerprint: Fingerprint; readonly result: Buffer }
  | { readonly kind: 'in-progress'; readonly leaseLeftMs: number }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'unknown'; readonly since: Date }
  | { readonly kind: 'result-gone' }
  /** Another release wrote it, in a format that this one does not know. */
  | { readonly kind: 'newer'; readonly version: string }
