-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] id
-- ARGV[2] for how long; milliseconds
if not redis.call('ZSCORE', running_key, ARGV[1]) then
  return 0
end
-- It is not due if its portion was carried although that seemed to fail, and has set when the next
-- is due, or if another process has put it off.
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'next_at', 'rate')
if due_at(redrive[1], redrive[2], now) > now then
  return 0
end
local next_at = digits(now + ARGV[2])
redis.call('HSET', redrive_key(ARGV[1]), 'next_at', next_at)
redis.call('ZADD', running_key, next_at, ARGV[1])
return 1
