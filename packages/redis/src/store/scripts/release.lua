-- @use RECORD_VERSION from ../record/record-version.ts
-- KEYS[1]   the record
-- KEYS[2]   the mark that a claim with this token wins nothing
-- ARGV[1]   token of the attempt
-- ARGV[2]   its number
-- ARGV[3]   how long to remember that it was released, milliseconds
-- @include ../record/attempt-state.lua
if not owns then
  return 'superseded'
end

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', '${RECORD_VERSION}', 'state', 'free', 'past', past or '\n')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
if awaited then
  -- @include ../record/announce-end.lua
end
return 'released'
