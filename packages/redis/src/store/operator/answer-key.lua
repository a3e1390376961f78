-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   the actor
-- ARGV[3]   the target of the audit entry
-- ARGV[4]   the note of the actor
-- ARGV[5]   the detail of the audit entry, as JSON
-- ARGV[6]   how long to remember the key, milliseconds
-- ARGV[7]   how long to keep the result, milliseconds; '0' for not at all
-- ARGV[8]   the head of the result
-- ARGV[9]   its body
-- @include key-state.lua
if found ~= 'unknown' then
  return {found}
end
-- @include enter.lua
if ARGV[7] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], struct.pack('>I4', #ARGV[8]) .. ARGV[8] .. ARGV[9], 'PX', ARGV[7])
end
local time = redis.call('TIME')
-- The token is cleared, so that a late completion does not take this record for its own.
redis.call('HSET', KEYS[1], 'state', 'done', 'token', '',
  'done_at', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
-- @include wake.lua
