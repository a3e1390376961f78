-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] id
-- ARGV[2] the plan that was carried out
-- ARGV[3] how many letters were put back
-- ARGV[4] how many letters were not
-- ARGV[5] these letters and outcomes, as JSON without the time
-- ARGV[6] the place of the last letter that was looked at
-- ARGV[7] '1': there are no more letters
local redrive = redis.call('HMGET', redrive_key(ARGV[1]), 'plan', 'state', 'most', 'rate',
  'next_at', 'redriven')
if redrive[1] ~= ARGV[2] then
  return 0
end
local state, most, rate = redrive[2], redrive[3], redrive[4]
local taken = ARGV[3] + ARGV[4]
local next_at = math.max(due_at(redrive[5], rate, now), now - 1000) + math.ceil(taken * 1000 / rate)
local is_over = ARGV[7] == '1' or most ~= '' and redrive[6] + ARGV[3] >= tonumber(most)
redis.call('HINCRBY', redrive_key(ARGV[1]), 'redriven', ARGV[3])
redis.call('HINCRBY', redrive_key(ARGV[1]), 'refused', ARGV[4])
redis.call('HINCRBY', redrive_key(ARGV[1]), 'portions', 1)
redis.call('HSET', redrive_key(ARGV[1]), 'cursor', ARGV[6], 'next_at', digits(next_at))
redis.call('HDEL', redrive_key(ARGV[1]), 'plan')
if taken > 0 then
  local number = redis.call('HINCRBY', redrive_key(ARGV[1]), 'listed', 1)
  redis.call('HSET', portions_key(ARGV[1]), number, digits(now) .. ' ' .. ARGV[5])
end
if state == 'running' and is_over then
  redis.call('HSET', redrive_key(ARGV[1]), 'state', 'done', 'ended_at', digits(now))
end
if state ~= 'running' or is_over then
  redis.call('ZREM', running_key, ARGV[1])
else
  redis.call('ZADD', running_key, digits(next_at), ARGV[1])
end
return 1
