-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   fingerprint of the request
-- ARGV[4]   how long to remember the key, milliseconds
-- ARGV[5]   how long to keep the mark, milliseconds
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
redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
if awaited then
  -- @include ../record/announce-end.lua
end
return 'abandoned'
