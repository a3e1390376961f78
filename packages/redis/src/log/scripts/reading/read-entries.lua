-- @include ../cursor.lua
-- For each slot:
-- KEYS[i]     its outbox
-- KEYS[i + 1] its consumers
-- ARGV[1]     how many entries at most, of all slots together
-- ARGV[2]     consumer
-- ARGV[3]     the types that are read, as one text: must equal `wanted` of the cursors
-- ARGV[4]     the page ends with the entry that brings it to this many bytes; if negative, before
-- that entry, even if the page is empty then
-- ARGV[5]     number of types; '0': all types
-- ARGV[6]     number of prefixes of types
-- ARGV[7..]   the types, the prefixes, and then for each slot the id of the entry to read on from,
-- with the life of the server that gave it out
local left, bytes_left = tonumber(ARGV[1]), math.abs(ARGV[4])
local is_share = tonumber(ARGV[4]) < 0
local whole, beginnings = {}, {}
local at = 7 + ARGV[5] + ARGV[6]
local all = at == 7
for i = 7, at - 1 do
  if i < 7 + ARGV[5] then
    whole[ARGV[i]] = true
  else
    beginnings[#beginnings + 1] = ARGV[i]
  end
end

for i = 2, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[2])
  if cursor and cursor.wanted and cursor.wanted ~= ARGV[3] then
    return 'changed'
  end
end

local function is_wanted(kind)
  if all or not kind or whole[kind] then
    return true
  end
  for _, beginning in ipairs(beginnings) do
    if string.sub(kind, 1, #beginning) == beginning then
      return true
    end
  end
  return false
end

local function type_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'type' then
      return fields[i + 1]
    end
  end
end

local function bytes_in(fields)
  local bytes = 0
  for i = 1, #fields do
    bytes = bytes + #fields[i]
  end
  return bytes
end

local pages = {}
for i = 1, #KEYS, 2 do
  local asked = ARGV[at + (i - 1) / 2]
  local position, life_then = string.match(asked, '^(.*)@(.*)$')
  if life_then ~= life() then
    return 'restored'
  end
  local entries, more = {}, 1
  -- Skipping entries costs time too, and blocks the server. The first read is of a few entries,
  -- because their size is known only once they are read.
  local count = is_share and 4 or 16
  while left > 0 and bytes_left > 0 and more == 1 do
    count = math.min(count, left)
    local found = redis.call('XRANGE', KEYS[i], '(' .. position, '+', 'COUNT', count)
    more = #found == count and 1 or 0
    local passed, bytes = 0, 0
    for _, entry in ipairs(found) do
      local wanted = is_wanted(not all and type_of(entry[2]))
      local size = bytes_in(entry[2])
      if bytes >= bytes_left or is_share and wanted and bytes + size > bytes_left then
        more, bytes = 1, bytes_left
        break
      end
      if wanted then
        entries[#entries + 1] = entry
      end
      bytes = bytes + size
      position = entry[1]
      passed = passed + 1
    end
    left = left - passed
    bytes_left = bytes_left - bytes
    -- Next, as many entries as fit in the remaining bytes if they are of the average size so far.
    if #found > 0 then
      local each = math.max(1, bytes / #found)
      count = math.max(1, math.min(left, math.floor(bytes_left / each)))
    end
  end
  pages[#pages + 1] = {position, more, entries}
end
return pages
