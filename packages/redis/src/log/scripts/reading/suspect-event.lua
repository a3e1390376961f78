-- @include ../cursor.lua
-- KEYS[1] the consumers of the slot
-- ARGV[1] consumer
-- ARGV[2] the epoch with which the slot is held
-- ARGV[3] id of the event
-- ARGV[4] the count to set back to; -1: one more start is counted
-- ARGV[5] the name of this start: a client that lost a connection may send the script again
local cursor = cursor_of(KEYS[1], ARGV[1])
if not is_held(cursor, ARGV[2]) then
  return -1
end
let_through(KEYS[1])
local is_counted = cursor.suspect == ARGV[3]
local back_to = tonumber(ARGV[4])
if back_to >= 0 then
  if is_counted then
    cursor.starts = back_to
    cursor.suspect = back_to > 0 and ARGV[3] or ''
    keep(KEYS[1], ARGV[1], cursor)
  end
  return back_to
end
if is_counted and cursor.started == ARGV[5] then
  return cursor.starts
end
cursor.starts = is_counted and cursor.starts + 1 or 1
cursor.suspect = ARGV[3]
cursor.started = ARGV[5]
keep(KEYS[1], ARGV[1], cursor)
return cursor.starts
