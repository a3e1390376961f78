-- @include ../clock.lua
-- @include ../cursor.lua
-- @include ../entry-id.lua
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     relay
-- ARGV[3]     lease, milliseconds
-- ARGV[4..]   the epoch with which the relay holds each slot; empty: it does not hold it
let_through(KEYS[1])
local states = {}
for i = 1, #KEYS, 2 do
  local slot = (i + 1) / 2
  local cursor, epoch = cursor_of(KEYS[i], ARGV[1]), ARGV[slot + 3]
  if not cursor then
    states[slot] = epoch == '' and 'unknown' or 'lost'
  else
    if cursor.leased_at and now < cursor.leased_at then
      -- The clock was put back: the lease keeps its length and starts now.
      cursor.lease_until = now + math.max(0, cursor.lease_until - cursor.leased_at)
      cursor.leased_at = now
    end
    if cursor.leased_in and cursor.leased_in ~= life() then
      -- In another life of the server no lease is valid, although the holder may be alive. From the
      -- first call in the new life, the holder has the length of its lease to come back.
      cursor.lease_until = now + math.max(0, cursor.lease_until - (cursor.leased_at or now))
      cursor.leased_at, cursor.leased_in = now, life()
    end
    if is_held(cursor, epoch) and cursor.relay == ARGV[2]
      and not is_later(cursor.at, last_id(KEYS[i + 1])) then
      cursor.lease_until, cursor.leased_at, cursor.leased_in = now + ARGV[3], now, life()
      states[slot] = 'held'
    elseif epoch ~= '' then
      states[slot] = cursor.relay == ARGV[2] and 'again' or 'lost'
    elseif cursor.relay == '' or cursor.relay == ARGV[2] or cursor.lease_until < now then
      states[slot] = 'free'
    else
      states[slot] = 'taken'
    end
    cursor.seen = now
    cursor.abandoned = false
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return states
