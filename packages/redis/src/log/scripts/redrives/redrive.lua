-- Included by every script about redrives. A redrive is a hash; its key is `KEYS[1]`, a colon and
-- the redrive's id:
--   kind, filter, rate, matched, actor, note
--   most         the limit; empty: none
--   state        'running', 'done' or 'cancelled'
--   redriven, refused  how many letters were put back, and how many were not
--   started_at, ended_at  milliseconds
--   started_us   the start in microseconds, or the place of the newest letter at that time if that
--                is later, because the clock was put back; no letter behind it is put back
--   next_at      when the next portion is due, milliseconds
--   cursor       the place of the last letter that was looked at; empty: none
--   portions     how many portions have ended; listed  how many of them took something
--   plan         the portion that is under way: JSON that scripts store and do not read. A process
--                that finds a plan carries it out. No letter is put back twice, because each stores
--                the portion that put it back
--   request      the name of its start
-- Beside it is a hash of what its portions took, by number from 1. Common to all redrives are a
-- sorted set of the running ones by `next_at`, and a hash with the last id and with the ids by the
-- names of their starts.
local function redrive_key(id)
  return KEYS[1] .. ':' .. id
end

local function portions_key(id)
  return redrive_key(id) .. ':portions'
end

local running_key = KEYS[1] .. ':running'

-- When the next portion is due. The rate limits how far ahead that can be. A time further ahead is
-- of a clock that was put back since, or of a server whose clock was ahead, so the portion is due
-- at once.
local function due_at(next_at, rate, present)
  if tonumber(next_at) > present + 10000 + 1000 / rate then
    return present
  end
  return tonumber(next_at)
end
