-- KEYS[i]   the deliveries of each slot
-- ARGV[1..] the index fields to look up
local found = {}
for i = 1, #KEYS do
  local numbers = {}
  for a = 1, #ARGV do
    local n = redis.call('HGET', KEYS[i], ARGV[a])
    numbers[#numbers + 1] = n or nil
  end
  found[#found + 1] = numbers
end
return found
