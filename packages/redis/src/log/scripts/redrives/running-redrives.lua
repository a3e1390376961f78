-- @include ../clock.lua
-- @include ./redrive.lua
-- KEYS[1] the redrives
-- ARGV[1] how many redrives at most
-- Those that the set has last may be due, too: their times may be of a clock that was put back.
local ids, seen = {}, {}
for _, range in ipairs({{0, ARGV[1] - 1}, {-ARGV[1], -1}}) do
  for _, id in ipairs(redis.call('ZRANGE', running_key, range[1], range[2])) do
    if not seen[id] then
      seen[id], ids[#ids + 1] = true, id
    end
  end
end
local found = {}
for at, id in ipairs(ids) do
  local redrive = redis.call('HMGET', redrive_key(id), 'filter', 'rate', 'most', 'redriven',
    'started_us', 'cursor', 'portions', 'plan', 'next_at')
  local due = due_at(redrive[9], redrive[2], now)
  found[at] = {due = due, at = at, answer = {id, redrive[1], redrive[2], redrive[3], redrive[4],
    redrive[5], redrive[6], redrive[7], redrive[8] or '', digits(due - now)}}
end
table.sort(found, function(one, other)
  if one.due ~= other.due then
    return one.due < other.due
  end
  return one.at < other.at
end)
local answers = {}
for at = 1, math.min(#found, ARGV[1]) do
  answers[at] = found[at].answer
end
return answers
