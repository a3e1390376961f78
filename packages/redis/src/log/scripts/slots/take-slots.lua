-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../entry-id.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     relay
-- ARGV[3]     lease, milliseconds
let_through(KEYS[1])
local taken = {}
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local silent = cursor and cursor.relay ~= '' and cursor.relay ~= ARGV[2]
  if not cursor or silent and cursor.lease_until >= now then
    taken[#taken + 1] = {}
  else
    if silent then
      cursor.crashes = cursor.crashes + 1
    end
    cursor.relay = ARGV[2]
    cursor.lease_until, cursor.leased_at, cursor.leased_in = now + ARGV[3], now, life()
    cursor.epoch = digits(math.max(cursor.epoch + 1, now_us))
    if is_later(cursor.at, last_id(KEYS[i + 1])) then
      cursor.at = '0-0'
    end
    keep(KEYS[i], ARGV[1], cursor)
    taken[#taken + 1] = {cursor.epoch, cursor.at, cursor.crashes, life(), cursor.suspect or ''}
  end
end
return taken
