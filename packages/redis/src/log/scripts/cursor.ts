/**
 * Lua for every script about cursors, and for the server's life. A consumer's cursor in one slot is JSON in the slot's hash of
 * consumers, under the consumer's name:
 *   at           the id of the last entry that it has passed
 *   relay        who holds the slot; empty: nobody
 *   epoch        of the last time it was taken, digits. It grows with each taking, and is no less than
 *                the time: one that a failover lost is not given out again
 *   lease_until  by the server's clock, milliseconds
 *   leased_at    when that lease began, by the same clock. A clock that is behind it was put back
 *   crashes      how often in a row its holder went without a word
 *   suspect      an event that may end processes, and
 *   starts       how often it was started
 *   seen         when a relay asked for the consumer last, milliseconds
 *   abandoned    true once it holds no events back any more
 *   wanted       the types that must be read, as one text, of
 *   wanted_version  that version of the record of subscriptions
 */
export const cursorLua = `
-- Another one after each restart and each promotion: then what was written last may be gone, and ids,
-- epochs and numbers of deliveries may be given out a second time. Empty where INFO is not allowed.
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

-- A full server refuses a script whose first write could grow, and lets through what has begun with a
-- removal. Relays are what empties it, so what they write is let through.
local function let_through(consumers)
  redis.call('HDEL', consumers, '')
end

local function is_held(cursor, epoch)
  return cursor and cursor.relay ~= '' and epoch == cursor.epoch .. '@' .. life()
end
`

/** Lua: the server's clock. A number of Lua is exact up to 2^53, which microseconds reach in 2255. */
export const clockLua = `
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

local function digits(number)
  return string.format('%.0f', number)
end
`

/** Lua: ids of entries, which are two numbers of any length, and where a stream ends. */
export const entryIdLua = `
local function is_later(one, other)
  local a, b = string.match(one, '^(%d+)%-(%d+)$')
  local x, y = string.match(other, '^(%d+)%-(%d+)$')
  if a == x then
    a, x = b, y
  end
  if #a ~= #x then
    return #a > #x
  end
  return a > x
end

-- The last id that was ever given out, also by a stream that was trimmed since. An error is not the
-- answer that there is none: cursors would begin anew.
local function last_id(stream)
  if redis.call('EXISTS', stream) == 0 then
    return '0-0'
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
  return '0-0'
end
`
