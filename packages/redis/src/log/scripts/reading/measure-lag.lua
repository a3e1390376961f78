-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../entry-id.lua
-- A cursor that is past the end of its stream, which was lost or begun anew, counts as one at its
-- beginning: there the next relay that takes the slot goes on.
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     the highest count
-- ARGV[3..]   for each slot the id behind which to continue; empty: its cursor
local BYTES = 1048576
local count, seen, oldest_ms = 0, 0, -1
local left, bytes_left = tonumber(ARGV[2]), BYTES
local go_on, known = {}, 0
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local behind = ARGV[(i + 5) / 2]
  known = cursor and 1 or known
  local start = cursor and (is_later(cursor.at, last_id(KEYS[i + 1])) and '0-0' or cursor.at)
  local position = cursor and (behind ~= '' and behind or start)
  local portion, all = 1, not position
  while not all and bytes_left > 0 and count < left do
    local found = redis.call('XRANGE', KEYS[i + 1], '(' .. position, '+', 'COUNT', portion)
    for _, entry in ipairs(found) do
      for f = 1, #entry[2] do
        bytes_left = bytes_left - #entry[2][f]
      end
    end
    local first = position == start and found[1]
    if first then
      oldest_ms = math.max(oldest_ms, 0, now - string.match(first[1], '^%d+'))
    end
    seen = seen + #found
    all = #found < portion
    if first and redis.call('XRANGE', KEYS[i + 1], '-', '+', 'COUNT', 1)[1][1] == first[1] then
      count, all = count + redis.call('XLEN', KEYS[i + 1]), true
    else
      count = count + #found
      position = #found > 0 and found[#found][1] or position
    end
    -- Next, as many entries as fit in the remaining bytes if they are of the average size so far.
    local each = math.max(1, (BYTES - bytes_left) / math.max(1, seen))
    portion = math.max(1, math.min(100, left - count, math.floor(bytes_left / each)))
  end
  go_on[#go_on + 1] = all and '' or position
end
return {math.min(count, left), oldest_ms, go_on, known}
