-- @include ../cursor.lua
-- KEYS[1] the consumers of the slot
-- ARGV[1] consumer
-- ARGV[2] the epoch with which the slot is held
-- ARGV[3] id of the event; empty: no event is suspected any longer
local cursor = cursor_of(KEYS[1], ARGV[1])
if not is_held(cursor, ARGV[2]) then
  return 0
end
let_through(KEYS[1])
cursor.starts = cursor.suspect == ARGV[3] and cursor.starts + 1 or 1
cursor.suspect = ARGV[3]
keep(KEYS[1], ARGV[1], cursor)
return cursor.starts
