-- KEYS[1]   the record
-- KEYS[2]   its result
-- KEYS[3]   the audit of its partition
-- ARGV[1]   the act
-- ARGV[2]   the actor
-- ARGV[3]   the target of the audit entry
-- ARGV[4]   the note of the actor
-- ARGV[5]   the detail of the audit entry, as JSON
-- ARGV[6]   the name of this act, which no other act has
-- ARGV[7]   how long to remember the key, milliseconds
-- ARGV[8]   how long to keep the result, milliseconds; '0' for not at all
-- ARGV[9]   the head of the result
-- ARGV[10]   its body
-- @include key-state.lua
-- @include done-before.lua
if found ~= 'unknown' then
  return {found}
end
-- @include enter.lua
if ARGV[8] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], struct.pack('>I4', #ARGV[9]) .. ARGV[9] .. ARGV[10], 'PX', ARGV[8])
end
local time = redis.call('TIME')
-- The token is cleared, so that a late completion does not take this record for its own, nor the
-- key once it is forgotten.
if token ~= '' then
  local ended = token
  -- @include ../record/past.lua
  redis.call('HSET', KEYS[1], 'past', past)
end
redis.call('HSET', KEYS[1], 'state', 'done', 'token', '', 'act', ARGV[6],
  'done_at', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('PEXPIRE', KEYS[1], ARGV[7])
-- @include wake.lua
