-- @include ../delivery.lua
-- KEYS[1] the consumer's deliveries that are retrying
-- KEYS[2] the deliveries of the slot
-- ARGV[1] how many to skip
-- ARGV[2] how many to return at most
local found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local page = {}
for d = 1, #found, 2 do
  local n = found[d]
  local state = state_of(KEYS[2], n)
  if state then
    local kept = redis.call('HMGET', KEYS[2], n .. ':state', n .. ':event', n .. ':note',
      n .. ':try:' .. state.tries)
    page[#page + 1] = {tonumber(n), found[d + 1], kept[1], kept[2], kept[3] or '', kept[4] or ''}
  end
end
return page
