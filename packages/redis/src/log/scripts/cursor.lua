-- For every script that uses cursors, and for the server's life. A consumer's cursor in one
-- slot is JSON in the slot's hash of consumers, under the consumer's name:
--   at           the id of the last entry that it has passed
--   relay        who holds the slot; empty: nobody
--   epoch        of the last time it was taken, digits. It grows each time, and is no less than the
--                time in microseconds: an epoch that a failover lost is not given out again
--   lease_until  by the server's clock, milliseconds
--   leased_at    when that lease began, by the same clock. If the clock is behind it, it was put
--                back
--   leased_in    in which life its holder, or whoever asked first there, had it last
--   crashes      how many holders in a row vanished without a release
--   suspect      an event that may kill processes, and
--   starts       how often it was started
--   seen         when a relay last asked for the consumer, milliseconds
--   silent_at    when it was first found to be silent for so long that it would be abandoned
--   abandoned    true once it no longer holds events back
--   wanted       the types that must be read, as one text, of
--   wanted_version  that version of the record of subscriptions

-- The life changes with each restart and each promotion, after which the last writes may be gone,
-- and ids, epochs and numbers of deliveries may be given out a second time. Empty if INFO is not
-- allowed.
local life_now
local function life()
  if not life_now then
    local told = redis.pcall('INFO', 'replication')
    life_now = type(told) == 'string' and string.match(told, 'master_replid:(%w+)') or ''
  end
  return life_now
end

local function cursor_of(consumers, consumer)
  local raw = redis.call('HGET', consumers, consumer)
  return raw and cjson.decode(raw)
end

local function keep(consumers, consumer, cursor)
  redis.call('HSET', consumers, consumer, cjson.encode(cursor))
end

-- A full server refuses a script whose first write could use more memory, and lets it run if the
-- first write is a removal. Relays empty the server, so their writes must get through.
local function let_through(consumers)
  redis.call('HDEL', consumers, '')
end

local function is_held(cursor, epoch)
  return cursor and cursor.relay ~= '' and epoch == cursor.epoch .. '@' .. life()
end
