-- @include ../delivery.lua
-- KEYS[i]   the deliveries of each slot
-- ARGV[1..] for each slot the number of deliveries, then their numbers
local at, found = 1, {}
for i = 1, #KEYS do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local kept = redis.call('HMGET', KEYS[i],
      n .. ':state', n .. ':event', n .. ':data', n .. ':note')
    if kept[1] then
      local state, tries = cjson.decode(kept[1]), {}
      for try = math.max(1, state.tries - KEPT_TRIES + 1), state.tries do
        tries[#tries + 1] = redis.call('HGET', KEYS[i], n .. ':try:' .. try)
      end
      found[#found + 1] = {i - 1, n, kept[1], kept[2], kept[3], kept[4] or '', tries}
    end
  end
  at = last + 1
end
return found
