-- @use RECORD_VERSION from ../record/record-version.ts
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
