-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] how many redrives at most
local found = {}
for _, id in ipairs(redis.call('ZRANGE', running_key, 0, ARGV[1] - 1)) do
  local redrive = redis.call('HMGET', redrive_key(id), 'filter', 'rate', 'most', 'redriven',
    'started_us', 'cursor', 'portions', 'plan', 'next_at')
  found[#found + 1] = {id, redrive[1], redrive[2], redrive[3], redrive[4], redrive[5], redrive[6],
    redrive[7], redrive[8] or '', digits(redrive[9] - now)}
end
return found
