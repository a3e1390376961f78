-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   how long to remember that it was released, milliseconds
local record = redis.call('HMGET', KEYS[1], 'v', 'state', 'token', 'awaited')
local version, state, token, awaited = record[1], record[2], record[3], record[4]

if version and version ~= '${RECORD_VERSION}' then
  return 'superseded'
end
if state and (state ~= 'running' or token ~= ARGV[1]) then
  return 'superseded'
end

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
if awaited then
  -- @include ../record/announce-end.lua
end
return 'released'
