-- @include ../cursor.lua
-- KEYS[i] the consumers of each slot
-- ARGV[1] consumer
-- ARGV[2] the version of the record
-- ARGV[3] the types that some release takes, as one text
let_through(KEYS[1])
local known = 0
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if cursor then
    known = known + 1
    if cursor.wanted ~= ARGV[3] and tonumber(ARGV[2]) >= (cursor.wanted_version or 0) then
      cursor.wanted = ARGV[3]
      cursor.wanted_version = tonumber(ARGV[2])
      keep(KEYS[i], ARGV[1], cursor)
    end
  end
end
return known
