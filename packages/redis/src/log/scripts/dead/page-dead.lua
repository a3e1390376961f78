-- @include ../delivery.lua
-- @include ./kept.lua
-- For each slot:
-- KEYS[i]     the dead letters, or those of retired consumers
-- KEYS[i + 1] its deliveries
-- ARGV[1]     how many letters of each slot at most
-- ARGV[2]     the end of the span, microseconds; '(' before it excludes the end itself
-- ARGV[3..]   for each slot the start of the span, in the same form
local pages = {}
for i = 1, #KEYS, 2 do
  local page = {}
  local found = redis.call('ZRANGEBYSCORE', KEYS[i], ARGV[3 + (i - 1) / 2], ARGV[2], 'WITHSCORES',
    'LIMIT', 0, ARGV[1])
  for d = 1, #found, 2 do
    page[#page + 1] = kept(KEYS[i + 1], found[d], found[d + 1])
  end
  pages[#pages + 1] = page
end
return pages
