-- @include ../delivery.lua
-- @include ./kept.lua
-- For each slot:
-- KEYS[i]     the dead letters, or those of retired consumers
-- KEYS[i + 1] its deliveries
-- ARGV[1..]   for each slot the number of deliveries, then their numbers
local at, pages = 1, {}
for i = 1, #KEYS, 2 do
  local last, page = at + ARGV[at], {}
  for d = at + 1, last do
    local died_at = redis.call('ZSCORE', KEYS[i], ARGV[d])
    page[#page + 1] = died_at and kept(KEYS[i + 1], ARGV[d], died_at) or nil
  end
  pages[#pages + 1] = page
  at = last + 1
end
return pages
