-- @include ../clock.lua
-- For each slot:
-- KEYS[i]     the dead letters
-- KEYS[i + 1] the letters that died within the last hour
-- KEYS[i + 2] the resolved letters
local depth, arrived, drained, oldest = 0, 0, 0, now_us
for i = 1, #KEYS, 3 do
  depth = depth + redis.call('ZCARD', KEYS[i])
  oldest = math.min(oldest, redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or oldest)
  arrived = arrived + redis.call('ZCOUNT', KEYS[i + 1], digits(now_us - 3600000000), '+inf')
  drained = drained + redis.call('ZCOUNT', KEYS[i + 2], digits(now - 3600000), '+inf')
end
return {depth, arrived, drained, digits(math.floor((now_us - oldest) / 1000))}
