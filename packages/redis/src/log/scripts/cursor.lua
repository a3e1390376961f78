-- Included by every script that uses cursors or the server's life. A consumer's cursor in one
-- slot is JSON in the slot's hash of consumers, under the consumer's name:
--   at           the id of the last entry that the consumer has passed
--   relay        the relay that holds the slot; empty: none
--   epoch        the epoch of the slot's last lease, digits. It grows with each lease and is at
--                least the time in microseconds, so an epoch that a failover lost is not handed
--                out again
--   lease_until  when the lease ends, by the server's clock, milliseconds
--   leased_at    when the lease began, by the same clock. If it is in the future, the clock was
--                put back
--   leased_in    the server's life in which the holder last had the slot, or in which another
--                relay first asked for it
--   crashes      how many holders in a row vanished without releasing the slot
--   suspect      an event that may kill processes
--   starts       how often the suspect was started
--   started      the name of its last start
--   seen         when a relay last asked for the consumer, milliseconds
--   silent_at    when it was first found silent for so long that it would be abandoned
--   abandoned    true if the consumer no longer keeps entries from being deleted
--   wanted       the types that a reader has to name, as one text
--   wanted_version  the version of the record of subscriptions from which `wanted` comes

-- The life changes with each restart and each promotion. After these the last writes may be gone,
-- and ids, epochs and numbers of deliveries may be handed out a second time. Empty if INFO is not
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

-- Lets the script write although the server's memory is full. A full server refuses a script whose
-- first write could use more memory, and lets it run if the first write is a removal. Relays free
-- memory, so their writes must get through.
local function let_through(consumers)
  redis.call('HDEL', consumers, '')
end

local function is_held(cursor, epoch)
  return cursor and cursor.relay ~= '' and epoch == cursor.epoch .. '@' .. life()
end
