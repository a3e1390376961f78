-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   lease, milliseconds
-- ARGV[5]   how long to remember the key from now: the lease plus the retention, milliseconds
-- @include ../record/attempt-state.lua
if not owns then
  return 'stale'
end

-- A full server lets a script run whose first write is a removal.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', ARGV[1], 'number', ARGV[2],
  'lease_until', string.format('%.0f', now + ARGV[4]), 'leased_at', now_text,
  'claimed_at', claimed_at or now_text)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'held'
