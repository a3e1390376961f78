-- @include ../cursor.lua
-- KEYS[i]     the consumers of each slot
-- ARGV[1]     consumer
-- ARGV[2]     the relay that leaves, whose slots are released under any epoch; empty: none
-- ARGV[i + 2] the epoch with which the slot is held; empty: the caller does not hold it
let_through(KEYS[1])
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local leaves = cursor and ARGV[2] ~= '' and cursor.relay == ARGV[2]
  if leaves or is_held(cursor, ARGV[i + 2]) then
    cursor.relay = ''
    cursor.lease_until = 0
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return 'released'
