-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] the id to start from, going down; empty: the newest
-- ARGV[2] how many ids to look at
local first = tonumber(ARGV[1] ~= '' and ARGV[1] or redis.call('HGET', KEYS[1], 'last') or 0)
local found = {}
for number = first, math.max(1, first - ARGV[2] + 1), -1 do
  local id = string.format('%.0f', number)
  local redrive = redis.call('HMGET', redrive_key(id), 'kind', 'filter', 'rate', 'most', 'state',
    'matched', 'redriven', 'refused', 'actor', 'note', 'started_at', 'ended_at')
  if redrive[1] then
    redrive[12] = redrive[12] or ''
    found[#found + 1] = {id, unpack(redrive)}
  end
end
return found
