-- @include ../cursor.lua
-- KEYS[i]     the consumers of each slot
-- ARGV[1]     consumer
-- ARGV[i + 1] the epoch with which the slot is held
let_through(KEYS[1])
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if is_held(cursor, ARGV[i + 1]) then
    cursor.relay = ''
    cursor.lease_until = 0
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return 'released'
