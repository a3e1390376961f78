-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- KEYS[2] the audit of their partition
-- ARGV[1] name of the start; empty: none
-- ARGV[2] filter, JSON
-- ARGV[3] rate
-- ARGV[4] the most letters that it may put back; empty: no limit
-- ARGV[5] how many letters match
-- ARGV[6] the actor
-- ARGV[7] the note of the actor
-- ARGV[8] detail of the entry in the audit, JSON
-- ARGV[9] how many redrives are kept
local known = ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'request:' .. ARGV[1])
if known then
  return known
end
local number = redis.call('HINCRBY', KEYS[1], 'last', 1)
local id = digits(number)
redis.call('HSET', redrive_key(id), 'kind', 'dead-letters', 'filter', ARGV[2], 'rate', ARGV[3],
  'most', ARGV[4], 'matched', ARGV[5], 'actor', ARGV[6], 'note', ARGV[7], 'state', 'running',
  'redriven', '0', 'refused', '0', 'started_at', digits(now), 'started_us', digits(now_us),
  'next_at', digits(now), 'cursor', '', 'portions', '0', 'request', ARGV[1])
redis.call('ZADD', running_key, digits(now), id)
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], 'request:' .. ARGV[1], id)
end
redis.call('XADD', KEYS[2], '*', 'act', 'redrives.start', 'actor', ARGV[6],
  'target', '["redrive","' .. id .. '"]', 'note', ARGV[7], 'detail', ARGV[8])

local old = digits(number - ARGV[9])
if number > tonumber(ARGV[9]) and not redis.call('ZSCORE', running_key, old) then
  local request = redis.call('HGET', redrive_key(old), 'request')
  if request and request ~= '' then
    redis.call('HDEL', KEYS[1], 'request:' .. request)
  end
  redis.call('DEL', redrive_key(old), portions_key(old))
end
return id
