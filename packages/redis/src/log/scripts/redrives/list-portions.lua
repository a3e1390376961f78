-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] id
-- ARGV[2] how many portions to skip
-- ARGV[3] how many portions at most
local listed = tonumber(redis.call('HGET', redrive_key(ARGV[1]), 'listed') or 0)
local found = {}
for number = ARGV[2] + 1, math.min(listed, ARGV[2] + ARGV[3]) do
  found[#found + 1] = redis.call('HGET', portions_key(ARGV[1]), string.format('%.0f', number))
end
return found
