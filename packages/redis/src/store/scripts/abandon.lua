-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   how long to remember the key, milliseconds
-- ARGV[5]   how long to keep the mark, milliseconds
-- @include ../record/attempt-state.lua
if not owns then
  return 'superseded'
end

-- A full server lets a script run whose first write is a removal.
redis.call('HDEL', KEYS[1], 'awaited')
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'running',
  'fingerprint', ARGV[3], 'token', '', 'number', ARGV[2], 'lease_until', now_text,
  'claimed_at', claimed_at or now_text)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
if awaited then
  -- @include ../record/announce-end.lua
end
return 'abandoned'
