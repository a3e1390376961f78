-- KEYS[i] what is dead in each slot
local last = 0
for i = 1, #KEYS do
  local newest = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2]
  last = math.max(last, tonumber(newest) or 0)
end
return string.format('%.0f', last)
